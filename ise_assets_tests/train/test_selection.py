"""Policies: what each lets through, with a reason for every drop, and that splits neither leak nor move."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ise_assets.intent.models import content_hash
from ise_assets.intent.sampler import intent_id
from ise_assets.settings import Settings, SettingsError, load_settings
from ise_assets.train.checks import nothing_leaks_across, split_is_by_rule
from ise_assets.train.export import read_pairs
from ise_assets.train.selection import is_held_out, near_any, place, select, split_of
from ise_assets.train.split import build_split
from ise_assets_tests.train.world import World, dialogue, ugly_json

GOOD: dict[str, Any] = {
    "status": "completed",
    "intent_known": True,
    "persona_known": True,
    "replayed": True,
    "reproduced": True,
    "accepted": True,
    "failures": 0,
    "recoveries": 0,
    "tool_call_count": 5,
    "rollout_index": 0,
    "agent_model": "scripted/teacher",
    "persona_id": "p",
    "tasks": [],
}


def _sessions(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [GOOD | {"dialogue_id": f"d{n}", "intent_id": f"i{n}"} | change for n, change in enumerate(changes)]


def _settings(**changes: Any) -> Settings:
    return load_settings(**changes)


def _held_out(percent: int) -> str:
    return next(name for name in map("scenario-{}".format, range(1000)) if is_held_out(name, percent))


def _person(split: str, percent: tuple[int, int, int] = (60, 20, 20), skip: int = 0) -> str:
    """A name whose persona's hash gives that split."""
    found = (n for n in map("Person {}".format, range(1000)) if split_of(content_hash("persona", n), percent) == split)
    return [next(found) for _ in range(skip + 1)][-1]


def test_first_reason_against_each_session_counts() -> None:
    selection = select(
        _sessions(
            {},
            {"status": "turn_limit", "accepted": False},
            {"intent_known": False},
            {"persona_known": False},
            {"replayed": False, "reproduced": None, "accepted": None},
            {"reproduced": False, "accepted": False},
            {"accepted": False},
            {"accepted": None},
        ),
        _settings(),
    )
    assert [candidate["dialogue_id"] for candidate in selection.kept] == ["d0"]
    assert Counter(selection.dropped.values()) == {
        "status_turn_limit": 1,
        "unknown_intent": 1,
        "unknown_persona": 1,
        "not_replayed": 1,
        "not_reproduced": 1,
        "not_accepted": 1,
        "unverified": 1,
    }


@pytest.mark.parametrize(
    ("changes", "settings", "kept", "dropped"),
    [
        ([{"accepted": False}, {}], {"sft_accepted": False}, 2, {}),
        ([{"reproduced": False}, {}], {"sft_reproduced": False}, 2, {}),
        ([{"accepted": None}, {}], {}, 1, {"unverified": 1}),
        ([{"accepted": None}, {}], {"sft_unverified": True}, 2, {}),
        ([{"failures": 2, "recoveries": 1}, {"failures": 1}, {}], {}, 3, {}),
        ([{"failures": 2, "recoveries": 1}, {}], {"sft_recoveries": "only"}, 1, {"no_recovery": 1}),
        ([{"failures": 2, "recoveries": 1}, {}], {"sft_recoveries": "drop"}, 1, {"has_failures": 1}),
        ([{"agent_model": "openai/m"}, {}, {}], {}, 1, {"other_origin": 2}),
        ([{"agent_model": "openai/m"}, {}, {}], {"sft_origin": "scripted"}, 2, {"other_origin": 1}),
        ([{"agent_model": "openai/m"}, {}, {}], {"sft_origin": "mixed"}, 3, {}),
        ([{"agent_model": "openai/m", "accepted": False}, {}], {}, 1, {"not_accepted": 1}),
    ],
)
def test_policy(changes: list[Any], settings: dict[str, Any], kept: int, dropped: dict[str, int]) -> None:
    selection = select(_sessions(*changes), _settings(**settings))
    assert len(selection.kept) == kept
    assert Counter(selection.dropped.values()) == dropped


def _rollouts(*accepted: bool, intent: str = "i") -> list[dict[str, Any]]:
    return [
        GOOD | {"dialogue_id": f"{intent}{n}", "intent_id": intent, "rollout_index": n, "accepted": good}
        for n, good in enumerate(accepted)
    ]


def test_difficulty_band_is_the_pass_rate_over_rollouts() -> None:
    sessions = [
        *_rollouts(True, True, intent="easy"),
        *_rollouts(True, False, intent="middle"),
        *_rollouts(True, False, False, False, False, intent="hard"),
    ]
    selection = select(sessions, _settings(sft_pass_rate="0.3,0.7"))
    assert [candidate["dialogue_id"] for candidate in selection.kept] == ["middle0"]
    assert selection.kept[0]["pass_rate"] == 0.5
    assert Counter(selection.dropped.values()) == {"pass_rate": 3, "not_accepted": 5}


def test_best_of_keeps_the_rollouts_with_the_fewest_failures_then_calls() -> None:
    sessions = _rollouts(True, True, True, False)
    sessions[0] |= {"failures": 2}
    sessions[1] |= {"failures": 1, "tool_call_count": 9}
    sessions[2] |= {"failures": 1, "tool_call_count": 4}
    selection = select(sessions, _settings(sft_best_of=1))
    assert [candidate["dialogue_id"] for candidate in selection.kept] == ["i2"]
    assert Counter(selection.dropped.values()) == {"not_among_best": 2, "not_accepted": 1}


@pytest.mark.parametrize("band", ["0.7,0.3", "-1,1", "0.5", "0,2"])
def test_band_that_is_none_is_refused(band: str) -> None:
    with pytest.raises(SettingsError, match="ISE_SFT_PASS_RATE"):
        _settings(sft_pass_rate=band)


@examples(deadline=None)  # the first one reads the environment
@given(st.text(), st.lists(st.text(), max_size=4))
def test_place_depends_on_the_persona_and_the_scenarios_alone(persona: str, scenarios: list[str]) -> None:
    settings = Settings(heldout_scenario_percent=30)
    where = place(persona, scenarios, settings)
    assert where == place(persona, list(reversed(scenarios)), settings)
    assert (where == "test_scenarios") == any(is_held_out(name, 30) for name in scenarios)
    assert place(persona, scenarios, Settings(heldout_scenario_percent=0)) == split_of(persona, (90, 5, 5))


def test_held_out_scenarios_are_never_trained_on(world: World) -> None:
    name = _held_out(world.settings.heldout_scenario_percent)
    seed = json.dumps([{"task": name, "params": {"a": 1}}])
    for number in range(6):
        world.session(f"Clerk {number}", tasks=["read-the-roster", name], seed=seed)
    world.session(_person("train"))
    summary = build_split(world.run(), "file-io")
    assert (summary["test_scenarios"], summary["train"]) == (6, 1)
    assert nothing_leaks_across(world.warehouse, world.settings).passed
    world.execute("UPDATE sft_split SET split = 'train'")
    assert not nothing_leaks_across(world.warehouse, world.settings).passed
    assert not split_is_by_rule(world.warehouse, world.settings).passed


def _instance(number: int) -> str:
    return json.dumps([{"task": "read-the-roster", "params": {"day": number}}, {"task": "x", "params": {"n": number}}])


@pytest.mark.parametrize("first", ["file-io", "multimedia"])
def test_train_record_with_the_parameters_of_a_tested_one_is_dropped_whichever_domain_runs_first(
    world: World, first: str
) -> None:
    leaking = world.session(_person("train"), domain="file-io", seed=_instance(1))
    kept = world.session(_person("train", skip=1), domain="file-io", seed=_instance(2))
    tested = world.session(_person("test"), domain="multimedia", seed=_instance(1))
    second = "multimedia" if first == "file-io" else "file-io"
    summaries = {domain: build_split(world.run(), domain) for domain in (first, second)}
    rows = world.warehouse.rows("SELECT dialogue_id, split FROM sft_split")
    assert {row["dialogue_id"]: row["split"] for row in rows} == {kept: "train", tested: "test"}
    dropped = world.warehouse.rows("SELECT dialogue_id, domain, reason FROM sft_dropped")
    assert dropped == [{"dialogue_id": leaking, "domain": "file-io", "reason": "leak_scenario"}]
    assert summaries["multimedia"]["exported"] == (2 if second == "multimedia" else 1)
    assert nothing_leaks_across(world.warehouse, world.settings).passed


def test_leak_that_is_put_back_fails_the_check(world: World) -> None:
    world.session(_person("train"), seed=_instance(1))
    world.session(_person("test"), seed=_instance(1))
    build_split(world.run(), "file-io")
    row = world.warehouse.rows("SELECT id FROM intent_pool WHERE id NOT IN (SELECT intent_id FROM sft_split)")[0]
    world.execute(
        f"INSERT INTO sft_split BY NAME SELECT 'again' AS id, 'file-io' AS domain, 'train' AS split, "
        f"'{row['id']}' AS intent_id, '{{}}' AS provenance"
    )
    outcome = nothing_leaks_across(world.warehouse, world.settings)
    assert not outcome.passed
    assert outcome.metadata["instances"] == 1


def test_train_utterance_near_a_tested_one_is_dropped(world: World) -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(4, 8))
    people = [_person("test"), _person("train"), _person("train", skip=1), _person("train", skip=2)]
    vectors[1] = vectors[0] + 0.05 * vectors[1]  # cosine about 0.99
    for who, vector in zip(people, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strict=True):
        world.session(who)
        identity = intent_id(world.settings.seed, content_hash("persona", who), 0)
        row = {"intent_id": identity, "domain": "file-io", "model": world.settings.embedding_model}
        world.insert("intent_embeddings", ["intent_id"], row | {"vector": vector.tolist()})
    summary = build_split(world.run(), "file-io")
    assert summary["dropped"] == {"leak_utterance": 1}
    assert (summary["train"], summary["test"]) == (2, 1)
    assert build_split(world.run(leak_threshold=1.0), "file-io")["train"] == 3


def test_near_is_from_the_threshold_on() -> None:
    rows = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    others = np.array([[1, 0]], dtype=np.float32)
    assert near_any(rows, others, 0.6).tolist() == [True, True, False]
    assert near_any(rows, others[:0], 0.6).tolist() == [False, False, False]


@pytest.mark.parametrize(
    ("setting", "reason"),
    [("sft_cap_persona", "cap_persona"), ("sft_cap_scenario", "cap_scenario"), ("sft_cap_tool", "cap_tool")],
)
def test_caps_hold_over_all_domains_and_leave_the_same_records_every_time(
    world: World, setting: str, reason: str
) -> None:
    person = _person("train")
    for k in range(6):
        world.session(person, domain=["file-io", "multimedia"][k % 2], k=k)
    settings = {setting: 4}
    for domain in ("file-io", "multimedia"):
        build_split(world.run(**settings), domain)
    first = world.warehouse.rows("SELECT id FROM sft_split ORDER BY id")
    reasons = world.warehouse.rows("SELECT reason, count(*) AS n FROM sft_dropped GROUP BY reason")
    assert len(first) == 4
    assert reasons == [{"reason": reason, "n": 2}]
    for domain in ("multimedia", "file-io"):
        build_split(world.run(**settings), domain)
    assert world.warehouse.rows("SELECT id FROM sft_split ORDER BY id") == first


def test_length_limits_are_in_tokens_of_the_tokenizer(world: World) -> None:
    world.session("Ada")
    long = dialogue("Bob")
    long[1]["content"] += " and more" * 400
    world.session("Bob", messages=ugly_json(long))
    assert build_split(world.run(sft_max_tokens=500), "file-io")["dropped"] == {"too_long": 1}
    assert build_split(world.run(sft_min_tokens=500), "file-io")["dropped"] == {"too_short": 1}
    assert build_split(world.run(), "file-io")["records"] == 2


def test_another_tokenizer_is_read_from_its_file(world: World, tmp_path: Any) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    world.session("Ada")
    by_default = build_split(world.run(), "file-io")["tokens_total"]
    summary = build_split(world.run(sft_tokenizer=str(tmp_path)), "file-io")
    assert 0 < summary["tokens_total"] != by_default
    assert summary["written"] == 1
    assert world.warehouse.scalar("SELECT tokenizer FROM sft_split") == str(tmp_path)


def test_accepted_and_rejected_rollouts_of_an_intent_make_a_pair(world: World) -> None:
    rejected = dialogue("Ada")
    rejected[-1]["content"] = "No idea. My key is AKIA" + "Q7" * 8
    chosen = world.session("Ada")
    refused = world.session("Ada", rollout_index=1, accepted=False, messages=ugly_json(rejected))
    world.session("Bob")
    summary = build_split(world.run(), "file-io")
    assert (summary["records"], summary["pairs"]) == (2, 1)
    (pair,) = read_pairs(world.warehouse)
    assert (pair.chosen_dialogue_id, pair.rejected_dialogue_id) == (chosen, refused)
    assert pair.chosen == dialogue("Ada")
    assert pair.rejected[:-1] == rejected[:-1]
    assert pair.rejected[-1]["content"] == "No idea. My key is REDACTED_SECRET_1"
    assert pair.provenance["pass_rate"] == 0.5
    world.session("Ada", rollout_index=1, accepted=True)
    assert build_split(world.run(), "file-io")["pairs"] == 0
    assert list(read_pairs(world.warehouse)) == []
