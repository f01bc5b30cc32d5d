"""Every check passes on good tables and fails on the one damage it is for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ise_assets import checks
from ise_assets.checks import CheckOutcome
from ise_assets.train.checks import exports_match_table, records_are_verbatim, split_is_by_rule
from ise_assets.train.split import build_split
from ise_assets_tests.train.world import World

Check = Callable[[World], CheckOutcome]


def _vendi(world: World) -> CheckOutcome:
    return checks.vendi_floor(world.warehouse, "file-io", 1.5)


def _unique(table: str, *keys: str) -> Check:
    return lambda world: checks.unique_keys(world.warehouse, table, keys, "file-io")


CASES: list[tuple[str, Check, str]] = [
    (
        "a key twice",
        _unique("tool_calls", "dialogue_id", "call_index"),
        "INSERT INTO tool_calls SELECT * FROM tool_calls LIMIT 1",
    ),
    (
        "a null key twice",
        _unique("sft_split", "id"),
        "UPDATE sft_split SET id = NULL",
    ),
    (
        "a key twice in a table without domains",
        lambda world: checks.unique_keys(world.warehouse, "persona_pool", ["id"]),
        "INSERT INTO persona_pool SELECT * FROM persona_pool LIMIT 1",
    ),
    (
        "an empty partition",
        lambda world: checks.not_empty(world.warehouse, "sft_split", "file-io"),
        "DELETE FROM sft_split",
    ),
    (
        "an empty table",
        lambda world: checks.not_empty(world.warehouse, "persona_pool"),
        "DELETE FROM persona_pool",
    ),
    (
        "too few accepted",
        lambda world: checks.accepted_share(world.warehouse, "file-io", 0.95),
        "UPDATE executed_traces SET accepted = false WHERE dialogue_id = (SELECT min(id) FROM simulated_dialogues)",
    ),
    (
        "accepted but not reproduced",
        lambda world: checks.accepted_share(world.warehouse, "file-io", 0.95),
        "UPDATE executed_traces SET reproduced = false WHERE dialogue_id = (SELECT min(id) FROM simulated_dialogues)",
    ),
    (
        "a session without a trace",
        lambda world: checks.accepted_share(world.warehouse, "file-io", 0.95),
        "DELETE FROM executed_traces WHERE dialogue_id = (SELECT min(id) FROM simulated_dialogues)",
    ),
    (
        "no session at all",
        lambda world: checks.accepted_share(world.warehouse, "file-io", 0.0),
        "DELETE FROM simulated_dialogues",
    ),
    (
        "sessions with too many turns",
        lambda world: checks.like_ise(world.warehouse, "file-io", 40.0),
        "UPDATE simulated_dialogues SET user_turns = 400",
    ),
    (
        "no session that ran to its end",
        lambda world: checks.like_ise(world.warehouse, "file-io", 40.0),
        "UPDATE simulated_dialogues SET status = 'error'",
    ),
    (
        "a failure called ok",
        lambda world: checks.failures_labelled(world.warehouse, "file-io"),
        "UPDATE tool_calls SET exit_code = 2 WHERE name = 'exec'",
    ),
    (
        "a replayed failure called ok",
        lambda world: checks.failures_labelled(world.warehouse, "file-io"),
        "UPDATE tool_calls SET replay_exit_code = 2 WHERE name = 'exec'",
    ),
    (
        "a call without a label",
        lambda world: checks.failures_labelled(world.warehouse, "file-io"),
        "UPDATE tool_calls SET outcome = NULL WHERE call_index = 2",
    ),
    (
        "a persona in two splits",
        lambda world: checks.no_persona_in_two_splits(world.warehouse),
        "UPDATE intent_pool SET persona_id = (SELECT min(persona_id) FROM intent_pool)",
    ),
    (
        "a mask on the user",
        lambda world: checks.mask_covers_assistant_only(world.warehouse, "file-io"),
        "UPDATE sft_split SET train_mask = '[0,1,1,0,1,0,0,1,0,1]'",
    ),
    (
        "a mask without an agent's turn",
        lambda world: checks.mask_covers_assistant_only(world.warehouse, "file-io"),
        "UPDATE sft_split SET train_mask = '[0,0,1,0,1,0,0,1,0,0]'",
    ),
    (
        "a mask that is too short",
        lambda world: checks.mask_covers_assistant_only(world.warehouse, "file-io"),
        "UPDATE sft_split SET train_mask = '[0,0,1]'",
    ),
    (
        "a mask that is missing",
        lambda world: checks.mask_covers_assistant_only(world.warehouse, "file-io"),
        "UPDATE sft_split SET train_mask = NULL",
    ),
    (
        "an intent on which nobody decided",
        lambda world: checks.kept_and_dropped_cover_pool(world.warehouse, "file-io"),
        "DELETE FROM deduped_pool WHERE intent_id = (SELECT min(id) FROM intent_pool)",
    ),
    (
        "an intent kept and dropped",
        lambda world: checks.kept_and_dropped_cover_pool(world.warehouse, "file-io"),
        "INSERT INTO dropped_duplicates BY NAME SELECT id AS intent_id, domain FROM intent_pool LIMIT 1",
    ),
    (
        "a kept intent that is not in the pool",
        lambda world: checks.kept_and_dropped_cover_pool(world.warehouse, "file-io"),
        "INSERT INTO deduped_pool BY NAME SELECT 'stranger' AS intent_id, 'file-io' AS domain",
    ),
    (
        "an utterance twice",
        lambda world: checks.utterances_unique(world.warehouse, "file-io"),
        "UPDATE intent_pool SET utterance = CASE WHEN id < '8' THEN 'the  same' ELSE ' The same' END",
    ),
    (
        "a Vendi Score under the floor",
        _vendi,
        "UPDATE diversity_report SET value = 1.4",
    ),
    (
        "a Vendi Score that is not a number",
        _vendi,
        "UPDATE diversity_report SET value = 'nan'::DOUBLE",
    ),
    ("no Vendi Score", _vendi, "DELETE FROM diversity_report"),
    (
        "a record in another split than its persona's",
        lambda world: split_is_by_rule(world.warehouse, world.settings),
        "UPDATE sft_split SET split = CASE split WHEN 'train' THEN 'test' ELSE 'train' END",
    ),
    (
        "a changed escape",
        lambda world: records_are_verbatim(world.warehouse, "file-io"),
        "UPDATE sft_split SET messages = replace(messages::VARCHAR, '\\u00fc', 'ü')",
    ),
    (
        "changed tools",
        lambda world: records_are_verbatim(world.warehouse, "file-io"),
        "UPDATE sft_split SET tools = '[]'",
    ),
    (
        "a record without its dialogue",
        lambda world: records_are_verbatim(world.warehouse, "file-io"),
        "DELETE FROM simulated_dialogues WHERE id = (SELECT min(id) FROM simulated_dialogues)",
    ),
    (
        "files that are behind the table",
        lambda world: exports_match_table(world.warehouse, world.settings.exports_dir),
        "DELETE FROM sft_split WHERE split = 'test'",
    ),
]


@pytest.fixture
def good(twelve: World) -> World:
    build_split(twelve.run(), "file-io")
    row = {"domain": "file-io", "metric": "vendi", "value": 7.5, "written_at": datetime(2026, 6, 11, tzinfo=UTC)}
    twelve.insert("diversity_report", ["domain", "metric", "n"], {**row, "n": 12}, {**row, "n": 5, "value": 1.0})
    return twelve


@pytest.mark.parametrize(("check", "damage"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_check_passes_on_good_tables_and_fails_on(good: World, check: Check, damage: str) -> None:
    before = check(good)
    assert before.passed, before.description
    good.execute(damage)
    after = check(good)
    assert not after.passed
    assert after.description != before.description


def test_missing_export_file_fails_the_check(good: World) -> None:
    (good.settings.exports_dir / "sft" / "validation.jsonl").unlink()
    assert not exports_match_table(good.warehouse, good.settings.exports_dir).passed


def test_damage_in_one_domain_does_not_fail_another(good: World) -> None:
    good.session("Ada", domain="multimedia")
    build_split(good.run(), "multimedia")
    good.execute("UPDATE tool_calls SET exit_code = 2, outcome = 'ok' WHERE domain = 'file-io'")
    good.execute("INSERT INTO sft_split SELECT * FROM sft_split WHERE domain = 'file-io'")
    assert checks.failures_labelled(good.warehouse, "multimedia").passed
    assert checks.unique_keys(good.warehouse, "sft_split", ["id"], "multimedia").passed
    assert not checks.unique_keys(good.warehouse, "sft_split", ["id"]).passed


def test_utterance_of_another_domain_counts_and_a_dropped_one_does_not(good: World) -> None:
    good.session("Ada", domain="multimedia", utterance="Clerk 3: who has the late shift?")
    assert not checks.utterances_unique(good.warehouse, "multimedia").passed
    good.execute("DELETE FROM deduped_pool WHERE domain = 'multimedia'")
    assert checks.utterances_unique(good.warehouse, "multimedia").passed
    assert not checks.utterances_unique(good.warehouse, "multimedia", kept_only=False).passed


def test_changed_percentages_are_named_by_the_check(good: World) -> None:
    outcome = split_is_by_rule(good.warehouse, good.settings.model_copy(update={"split_percent": (0, 0, 100)}))
    assert not outcome.passed
    assert "all domains" in outcome.description
