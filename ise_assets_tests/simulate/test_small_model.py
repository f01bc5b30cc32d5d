"""A real small model in all three roles: it does the job badly, and everything it does ends well-formed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ise_assets.execute.stage import replay_domain
from ise_assets.intent import persona_pool as people
from ise_assets.intent.catalog import record_catalog
from ise_assets.intent.pool import write_intents
from ise_assets.settings import Settings
from ise_assets.simulate.stage import simulate_domain
from ise_assets.stage import StageRun
from ise_assets.train.models import check_messages
from ise_assets.warehouse import Warehouse
from ise_assets_tests.simulate.small_server import small_model

DOMAIN, MODEL, SESSIONS = "file-io", "openai/smollm2", 2


def test_a_small_model_plays_all_roles_and_the_pipeline_bears_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        home=tmp_path,
        shipped_personas_per_list=3,
        intent_model=MODEL,
        user_model=MODEL,
        agent_model=MODEL,
        intent_rewrites=1,
        max_regenerations=1,
        max_concurrent_sessions=2,
        max_concurrent_writers=2,
        max_user_turns=4,
        max_tool_calls=8,
        max_session_minutes=0.6,
    )
    run = StageRun(Warehouse.of(settings), settings, "small")
    people.take_in(run)
    record_catalog(run)
    with small_model() as address:
        monkeypatch.setenv("OPENAI_API_BASE", f"{address}/v1")
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        assert write_intents(run, DOMAIN)["new_intents"] >= SESSIONS
        keep = f"INSERT INTO deduped_pool BY NAME SELECT id AS intent_id, domain FROM intent_pool ORDER BY id LIMIT {SESSIONS}"
        run.warehouse.write(lambda connection: connection.execute(keep))
        summary = simulate_domain(run, DOMAIN)
    written = run.warehouse.rows("SELECT utterance, writer_model FROM intent_pool")
    assert all(row["utterance"].strip() and row["writer_model"] for row in written)
    rows = run.warehouse.rows("SELECT * FROM simulated_dialogues")
    print([(row["status"], row["stop_reason"][:80], row["user_turns"], row["tool_call_count"]) for row in rows])
    assert len(rows) == SESSIONS and summary["sessions"] == SESSIONS
    for row in rows:
        assert row["status"] in ("completed", "gave_up", "turn_limit", "error") and row["stop_reason"]
        assert not row["stop_reason"].startswith("internal"), row["stop_reason"]
        messages = json.loads(row["messages"])
        assert [m["role"] for m in messages[:2]] == ["system", "user"] and row["prompt_tokens"] > 0
        if row["status"] == "completed":
            check_messages(messages)
    by_role = {
        row["role"]: row["n"] for row in run.warehouse.rows("SELECT role, count(*) AS n FROM llm_calls GROUP BY 1")
    }
    assert {"intent_writer", "user", "agent"} >= set(by_role) >= {"intent_writer", "agent"}
    ended = [row["id"] for row in rows if row["status"] != "error"]
    replay_domain(run, DOMAIN)
    traces = run.warehouse.rows("SELECT * FROM executed_traces")
    assert {trace["dialogue_id"] for trace in traces} == set(ended)
    assert all(trace["reproduced"] for trace in traces)
