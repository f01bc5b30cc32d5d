"""From a record back to its persona list, and what is claimed only where it is proven."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ise_assets import cli
from ise_assets.intent.models import content_hash
from ise_assets.intent.pool import INTENT_VERSION
from ise_assets.intent.sampler import SAMPLER_VERSION, intent_id
from ise_assets.simulate.stage import STAGE_VERSION
from ise_assets.train.provenance import walk_back
from ise_assets.train.show import print_provenance
from ise_assets.train.split import build_split
from ise_assets_tests.train.world import LIST_SHA256, World, dialogue, ugly_json


def _printed(world: World, identity: str) -> str:
    out = io.StringIO()
    print_provenance(Console(file=out, width=400), world.warehouse, identity)
    return out.getvalue()


def test_a_record_is_walked_back_to_its_persona_list(world: World) -> None:
    key = "AKIA" + "Q7" * 8
    messages = dialogue("Ada")
    messages[1]["content"] += f" {key}"
    record = world.session("Ada", messages=ugly_json(messages))
    then = {"written_at": datetime(2026, 6, 11, tzinfo=UTC)}
    world.insert(
        "task_catalog",
        ["content_hash"],
        {"content_hash": "ab12", "name": "read-the-roster", "run_id": "run-catalog"} | then,
    )
    world.insert(
        "persona_lists",
        ["persona_list"],
        {"persona_list": "clinic.jsonl", "source_sha256": LIST_SHA256, "rows_good": 9} | then,
    )
    call = {"id": "c1", "role": "agent", "item_id": record, "model": "scripted/teacher", "cost_usd": 0.25}
    world.insert("llm_calls", ["id"], call, call | {"id": "c2", "cost_usd": 0.5})
    build_split(world.run(), "file-io")
    found = walk_back(world.warehouse, record[:8])
    assert found["record"]["dialogue_id"] == record
    assert walk_back(world.warehouse, found["record"]["id"])["record"] == found["record"]
    assert found["record"]["provenance"]["runs"]["task_catalog"] == ["run-catalog"]
    runs = [found[step]["run_id"] for step in ("record", "trace", "dialogue", "intent", "persona")]
    assert runs == ["run-split", "run-trace", "run-dialogue", "run-intent", "run-persona"]
    assert found["persona"]["name"] == "Ada"
    assert found["persona_list"]["rows_good"] == 9
    assert [row["name"] for row in found["scenarios"]] == ["read-the-roster"]
    assert [(row["calls"], row["cost_usd"]) for row in found["model_calls"]] == [(2, 0.75)]
    text = _printed(world, record)
    for word in (
        record,
        "run-split",
        "run-dialogue",
        "run-catalog",
        "clinic.jsonl",
        LIST_SHA256,
        "Ada",
        "REDACTED_SECRET_1",
    ):
        assert word in text
    assert key not in text


def test_what_is_gone_is_said_to_be_gone(world: World) -> None:
    record = world.session("Ada")
    build_split(world.run(), "file-io")
    world.execute("DELETE FROM persona_pool")
    assert "not in the warehouse any more" in _printed(world, record)


def test_session_without_a_record_tells_why(world: World) -> None:
    dropped = world.session("Ada", accepted=False)
    build_split(world.run(), "file-io")
    with pytest.raises(LookupError, match=f"session {dropped} gave no record: not_accepted"):
        walk_back(world.warehouse, dropped)
    with pytest.raises(LookupError, match="no record of 'nobody'"):
        walk_back(world.warehouse, "nobody")


def test_prompts_are_hashed_and_versions_told_only_where_they_are_proven(world: World) -> None:
    persona = content_hash("persona", "Ada")
    intent = content_hash(
        "intent_pool", INTENT_VERSION, SAMPLER_VERSION, intent_id(world.settings.seed, persona, 0), persona
    )
    session = content_hash("simulate", STAGE_VERSION, intent, "scripted/teacher", "scripted/teacher")
    world.session("Ada")
    world.session("Bob")
    world.execute(f"UPDATE intent_pool SET spec_hash = '{intent}' WHERE persona_id = '{persona}'")
    world.execute(
        f"UPDATE simulated_dialogues SET spec_hash = '{session}' WHERE intent_id = '{intent_id(world.settings.seed, persona, 0)}'"
    )
    build_split(world.run(), "file-io")
    rows = world.warehouse.rows("SELECT provenance FROM sft_split")
    found = {row["persona_id"] == persona: row for row in (json.loads(r["provenance"]) for r in rows)}
    system = hashlib.sha256(dialogue("Ada")[0]["content"].encode()).hexdigest()
    assert found[True]["prompts"]["agent"] == found[False]["prompts"]["agent"] == system
    assert found[True]["stage_versions"]["simulated_dialogues"] == STAGE_VERSION
    assert len(found[True]["prompts"]["user"]) == len(found[True]["prompts"]["intent_writer"]) == 64
    assert found[False]["stage_versions"]["simulated_dialogues"] is None
    assert found[False]["prompts"]["user"] is None
    assert found[True]["catalog_version"] == found[False]["catalog_version"]


def test_the_command_walks_back_and_says_what_it_does_not_find(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record = world.session("Ada")
    build_split(world.run(), "file-io")
    monkeypatch.setenv("ISE_HOME", str(world.settings.home))
    runner = CliRunner()
    told = runner.invoke(cli.app, ["show", "--provenance", record[:10]])
    assert told.exit_code == 0
    assert "clinic.jsonl" in told.output
    assert "run-dialogue" in told.output
    missing = runner.invoke(cli.app, ["show", "--provenance", "nobody"])
    assert missing.exit_code == 2
    assert "no record of 'nobody'" in missing.stderr
