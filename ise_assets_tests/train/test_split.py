"""The train stage: what is selected, where it goes, and that nothing of it is changed on the way."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ise_assets.intent.models import content_hash
from ise_assets.train.checks import records_are_verbatim
from ise_assets.train.models import SPLITS
from ise_assets.train.selection import split_of
from ise_assets.train.split import build_split, train_mask
from ise_assets.warehouse import sql
from ise_assets_tests.train.world import LIST_SHA256, World, dialogue, ugly_json

PERCENT = (90, 5, 5)


@given(st.text())
def test_split_depends_on_nothing_but_the_persona(persona_id: str) -> None:
    assert split_of(persona_id, PERCENT) == split_of(persona_id, PERCENT)
    assert split_of(persona_id, (100, 0, 0)) == "train"
    assert split_of(persona_id, (0, 0, 100)) == "test"


def test_shares_of_the_splits_are_the_percentages() -> None:
    found = Counter(split_of(content_hash("persona", n), PERCENT) for n in range(20_000))
    assert abs(found["train"] / 20_000 - 0.90) < 0.01
    assert abs(found["validation"] / 20_000 - 0.05) < 0.006
    assert abs(found["test"] / 20_000 - 0.05) < 0.006


def test_percentages_that_do_not_cover_everything_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 100"):
        split_of("anyone", (10, 0, 0))


def test_mask_is_one_on_the_agents_messages_only() -> None:
    assert train_mask(dialogue("A")) == [0, 0, 1, 0, 1, 0, 0, 1, 0, 1]


def test_only_accepted_and_reproduced_sessions_become_records(world: World) -> None:
    kept = world.session("Ada")
    world.session("Bob", accepted=False)
    world.session("Cem", reproduced=False)
    world.session("Dee", status="gave_up")
    world.session("Eva", trace=False)
    world.session("Fay", intent=False)
    world.session("Gus", persona=False)
    summary = build_split(world.run(), "file-io")
    assert summary["records"] == summary["written"] == summary["exported"] == 1
    assert summary["dropped"] == {
        "not_accepted": 1,
        "not_replayed": 1,
        "not_reproduced": 1,
        "status_gave_up": 1,
        "unknown_intent": 1,
        "unknown_persona": 1,
    }
    assert [row["dialogue_id"] for row in world.warehouse.rows("SELECT dialogue_id FROM sft_split")] == [kept]
    json.dumps(summary)


def test_messages_and_tools_equal_the_dialogues_byte_for_byte(twelve: World) -> None:
    build_split(twelve.run(), "file-io")
    rows = twelve.warehouse.rows(
        "SELECT s.messages::VARCHAR AS got, d.messages::VARCHAR AS sent, s.tools::VARCHAR AS tools, "
        "d.tools::VARCHAR AS given FROM sft_split s JOIN simulated_dialogues d ON d.id = s.dialogue_id"
    )
    assert len(rows) == 12
    for row in rows:
        assert row["got"].encode() == row["sent"].encode()
        assert row["tools"].encode() == row["given"].encode()
        assert "\n\t " in row["got"]  # the fixture's odd blanks are still there, so nobody printed it anew


def test_provenance_names_every_source(world: World) -> None:
    record = world.session("Ada", k=3, agent_model="openai/some-model")
    build_split(world.run(), "file-io")
    provenance = json.loads(world.warehouse.scalar("SELECT provenance FROM sft_split"))
    assert content_hash("dialogue", provenance["intent_id"], 0) == record
    assert provenance["persona_id"] == content_hash("persona", "Ada")
    assert (provenance["persona_list"], provenance["persona_list_sha256"]) == ("clinic.jsonl", LIST_SHA256)
    assert provenance["scenario_hashes"] == {"read-the-roster": "ab12"}
    assert provenance["models"] == {
        "intent_writer": "scripted/teacher",
        "user": "scripted/teacher",
        "agent": "openai/some-model",
    }
    assert provenance["scripted"] is True
    assert provenance["scripted_roles"] == ["intent_writer", "user"]
    assert provenance["licence"] == "other"
    assert (provenance["sampler_seed"], provenance["intent_number"]) == (world.settings.seed, 3)
    assert provenance["runs"] == {
        "persona_pool": "run-persona",
        "task_catalog": [],
        "intent_pool": "run-intent",
        "deduped_pool": "run-dedup",
        "simulated_dialogues": "run-dialogue",
        "executed_traces": "run-trace",
        "sft_split": "run-split",
    }


def test_seed_is_not_claimed_for_an_intent_drawn_under_another(world: World) -> None:
    world.session("Ada")
    build_split(world.run(seed=7), "file-io")
    provenance = json.loads(world.warehouse.scalar("SELECT provenance FROM sft_split"))
    assert provenance["sampler_seed"] is None


@pytest.mark.parametrize("planted", ["hunter2-hunter2", 'quo"ted\\pass', "pässwörter"])
@pytest.mark.parametrize("where", ["user", "tool", "arguments"])
def test_secret_of_the_environment_is_replaced_and_its_variable_named(
    world: World, monkeypatch: pytest.MonkeyPatch, exported: Callable[[], dict[str, bytes]], planted: str, where: str
) -> None:
    messages = dialogue("Ada")
    if where == "arguments":
        messages[2]["tool_calls"][0]["function"]["arguments"] = json.dumps({"path": f"/x/{planted}"})
    else:
        messages[1 if where == "user" else 3]["content"] += f" {planted}!"
    world.session("Ada", messages=ugly_json(messages))
    world.session("Bob")
    assert build_split(world.run(), "file-io")["redactions"] == {}
    monkeypatch.setenv("SOME_API_KEY", planted)
    summary = build_split(world.run(), "file-io")
    assert summary["records"] == 2
    assert summary["written"] == 1
    assert summary["dropped"] == {}
    assert summary["redactions"] == {"environment": 1}
    assert summary["secret_variables"] == ["SOME_API_KEY"]
    assert planted not in json.dumps(summary, ensure_ascii=False)
    everything = b"".join(content for name, content in exported().items() if not name.endswith(".parquet")).decode()
    assert "Bob" in everything
    assert planted not in everything
    assert json.dumps(planted)[1:-1] not in everything
    assert "REDACTED_ENVIRONMENT_1" in everything
    assert records_are_verbatim(world.warehouse, "file-io").passed


def test_record_whose_provenance_holds_a_secret_is_dropped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.session("Ada", persona_list="list-of-hunter2-hunter2.jsonl")
    monkeypatch.setenv("SOME_API_KEY", "hunter2-hunter2")
    summary = build_split(world.run(), "file-io")
    assert summary["dropped"] == {"secret": 1}
    assert summary["secret_variables"] == ["SOME_API_KEY"]


def test_short_or_plainly_named_variables_are_no_secrets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT_TOKEN", "roster")
    monkeypatch.setenv("GREETING", "You are an agent")
    world.session("Ada")
    assert build_split(world.run(), "file-io")["dropped"] == {}


def _unanswered(messages: list[Any]) -> list[Any]:
    return [m for m in messages if m.get("tool_call_id") != "call_3"]


def _cut(messages: list[Any]) -> list[Any]:
    return messages[:-1]


def _dict_arguments(messages: list[Any]) -> list[Any]:
    messages[2]["tool_calls"][0]["function"]["arguments"] = {"path": "/"}
    return messages


def _not_objects(messages: list[Any]) -> list[Any]:
    return ["hello", *messages]


@pytest.mark.parametrize("damage", [_unanswered, _cut, _dict_arguments, _not_objects])
def test_session_that_is_no_trainable_dialogue_is_dropped_with_its_reason(
    world: World, damage: Callable[[list[Any]], list[Any]]
) -> None:
    record = world.session("Ada", messages=ugly_json(damage(dialogue("Ada"))))
    world.session("Bob")
    summary = build_split(world.run(), "file-io")
    assert summary["dropped"] == {"malformed": 1}
    assert summary["malformed_example"].startswith(record)
    assert summary["exported"] == 1


def test_arguments_that_are_broken_json_are_kept_as_the_model_wrote_them(world: World) -> None:
    messages = dialogue("Ada")
    messages[2]["tool_calls"][0]["function"]["arguments"] = '{"path": "/home'
    world.session("Ada", messages=ugly_json(messages))
    assert build_split(world.run(), "file-io")["records"] == 1


def test_session_that_is_no_longer_good_leaves_table_and_files(
    twelve: World, exported: Callable[[], dict[str, bytes]]
) -> None:
    build_split(twelve.run(), "file-io")
    twelve.session("Clerk 4", accepted=False)
    summary = build_split(twelve.run(), "file-io")
    assert (summary["records"], summary["dropped"], summary["written"]) == (11, {"not_accepted": 1}, 0)
    assert twelve.warehouse.scalar("SELECT count(*) FROM sft_split") == 11
    assert b"Clerk 4 hier" not in b"".join(exported()[f"{s}.jsonl"] for s in ("train", "validation", "test"))


def test_running_again_changes_no_row_and_no_byte(twelve: World, exported: Callable[[], dict[str, bytes]]) -> None:
    first = build_split(twelve.run("run-1"), "file-io")
    before, rows = exported(), twelve.warehouse.rows("SELECT * FROM sft_split ORDER BY id")
    second = build_split(twelve.run("run-2"), "file-io")
    assert exported() == before
    assert twelve.warehouse.rows("SELECT * FROM sft_split ORDER BY id") == rows
    assert second == {**first, "written": 0}


def test_new_sessions_move_no_record(twelve: World) -> None:
    build_split(twelve.run(), "file-io")
    before = {row["id"]: row["split"] for row in twelve.warehouse.rows("SELECT id, split FROM sft_split")}
    twelve.sessions(*(f"Clerk {number}" for number in range(12, 24)))
    build_split(twelve.run(), "file-io")
    after = {row["id"]: row["split"] for row in twelve.warehouse.rows("SELECT id, split FROM sft_split")}
    assert len(after) == 24
    assert {key: after[key] for key in before} == before


def test_tokens_are_counted_with_the_tokenizer_that_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "/nowhere")
    world.session("Ada")
    summary = build_split(world.run(), "file-io")
    row = world.warehouse.rows("SELECT tokens, tokenizer FROM sft_split")[0]
    assert row["tokenizer"] == "tiktoken/cl100k_base"
    text = json.dumps(dialogue("Ada"), ensure_ascii=False)
    assert len(text) / 8 < row["tokens"] < len(text)
    assert summary["tokens_total"] == summary["tokens_mean"] == row["tokens"]


def test_domain_without_sessions_gives_an_empty_export(world: World, exported: Callable[[], dict[str, bytes]]) -> None:
    summary = build_split(world.run(), "multimedia")
    assert (summary["records"], summary["tokens_mean"], summary["exported"]) == (0, 0.0, 0)
    assert set(exported()) == {"README.md"} | {f"{s}.{e}" for s in SPLITS for e in ("jsonl", "parquet")}


SPANS = json.dumps(
    [
        {"id": "r1", "failed_call": 0, "recovered_call": 2, "how": "changed_arguments"},
        {"id": "r2", "failed_call": 1, "recovered_call": None, "how": "gave_up"},
    ]
)


@pytest.mark.parametrize(
    ("policy", "left_out"),
    [
        ({}, []),
        ({"sft_train_failed_calls": False}, [2]),
        ({"sft_train_after_unlabelled": False}, [7]),
        ({"sft_train_failed_calls": False, "sft_train_after_unlabelled": False}, [2, 7]),
    ],
    ids=["everything", "no failed calls", "nothing after an unlabelled error", "neither"],
)
def test_policies_of_the_mask(world: World, policy: dict[str, bool], left_out: list[int]) -> None:
    """The failed read is call 0, in message 2; of the two calls at once in message 4 one is said to have failed unlabelled."""
    identity = world.session("Ada")
    world.execute(f"UPDATE executed_traces SET recovery_spans = '{SPANS}'")
    world.execute("UPDATE tool_calls SET tool_call_id = 'call_' || (call_index + 1)")
    world.execute("UPDATE tool_calls SET failure_class = 'other' WHERE call_index = 2")
    build_split(world.run(**policy), "file-io")
    (row,) = world.warehouse.rows("SELECT messages, train_mask, provenance FROM sft_split")
    messages, mask = json.loads(row["messages"]), json.loads(row["train_mask"])
    wanted = [i for i, m in enumerate(messages) if m["role"] == "assistant" and i not in left_out]
    assert [i for i, bit in enumerate(mask) if bit] == wanted
    assert json.loads(row["provenance"]).get("untrained", []) == left_out
    assert world.warehouse.rows(sql("checks/masks_beside_assistant"), {"domain": "file-io"}) == [], identity
    world.execute("UPDATE sft_split SET train_mask = '[1]'")
    assert len(world.warehouse.rows(sql("checks/masks_beside_assistant"), {"domain": "file-io"})) == 1
