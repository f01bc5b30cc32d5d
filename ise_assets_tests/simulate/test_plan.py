"""What a run would cost: from tokens that earlier sessions counted, and prices that are known or said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ise_assets.settings import Settings
from ise_assets.simulate.plan import project
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow
from ise_assets_tests.simulate.ledger_session import fill

DOMAIN = "file-io"

WHEN = {"run_id": "r", "spec_hash": "s", "written_at": datetime(2026, 6, 11, tzinfo=UTC), "domain": DOMAIN}


def a_run(home: Path, **changes: Any) -> StageRun:
    settings = Settings(_env_file=None, home=home, **changes)  # type: ignore[call-arg]
    return StageRun(Warehouse.of(settings), settings, "plan")


def put(warehouse: Warehouse, table: str, *rows: dict[str, Any]) -> None:
    warehouse.write(
        lambda connection: replace_rows(
            connection, table, rows_to_arrow(table, [{**row, **WHEN} for row in rows]), ["id"]
        )
    )


def session(identity: str, model: str, seconds: float) -> dict[str, Any]:
    return {
        "id": identity,
        "intent_id": f"elsewhere {identity}",
        "rollout_index": 0,
        "status": "completed",
        "user_model": model,
        "agent_model": model,
        "duration_s": seconds,
    }


def call(number: int, item: str, role: str, sent: int, received: int) -> dict[str, Any]:
    return {"id": f"c{number}", "item_id": item, "role": role, "prompt_tokens": sent, "completion_tokens": received}


def test_without_a_session_only_the_work_is_known(tmp_path: Path) -> None:
    run = a_run(tmp_path, rollouts=2)
    fill(run.warehouse, 5)
    found = project(run, [DOMAIN, "multimedia"])
    assert [(one.domain, one.sessions) for one in found.domains] == [(DOMAIN, 10), ("multimedia", 0)]
    assert (found.calls_per_session, found.usd, found.hours) == (None, None, None)


def test_tokens_of_other_models_stand_in_until_there_are_some_of_these(tmp_path: Path) -> None:
    model = "openai/of-my-own"
    run = a_run(tmp_path, user_model=model, agent_model=model, model_prices=f"{model}=2:10", max_concurrent_sessions=2)
    fill(run.warehouse, 100)
    put(run.warehouse, "simulated_dialogues", session("a", "scripted/teacher", 3.0))
    put(
        run.warehouse,
        "llm_calls",
        call(1, "a", "agent", 60_000, 1_000),
        call(2, "a", "agent", 40_000, 1_000),
        call(3, "a", "user", 20_000, 500),
        call(4, "an intent", "intent_writer", 9_999_999, 9),
    )
    found = project(run, [DOMAIN])
    assert (found.calls_per_session, found.sent_per_session, found.received_per_session) == (3, 120_000, 2_500)
    assert found.usd_per_session == pytest.approx(0.12 * 2 + 0.0025 * 10)
    assert found.sessions == 100 + found.domains[0].intents
    assert found.usd == pytest.approx(found.sessions * (0.24 + 0.025))
    assert found.hours is None
    put(run.warehouse, "simulated_dialogues", session("b", model, 36.0))
    put(run.warehouse, "llm_calls", call(5, "b", "agent", 10, 1))
    found = project(run, [DOMAIN])
    assert (found.sent_per_session, found.calls_per_session) == (10, 1)
    assert found.hours == pytest.approx(found.sessions * 36 / 2 / 3600)


def test_sessions_of_other_models_are_there_and_are_counted(tmp_path: Path) -> None:
    run = a_run(tmp_path, agent_model="openai/of-my-own")
    fill(run.warehouse, 5)
    (intent,) = run.warehouse.rows("SELECT intent_id FROM deduped_pool ORDER BY intent_id LIMIT 1")
    there = {**session("a", "scripted/teacher", 3.0), **intent, "spec_hash": "of the scripted teacher"}
    put(run.warehouse, "simulated_dialogues", there)
    found = project(run, [DOMAIN])
    assert (found.domains[0].sessions, found.stale) == (4, 1)


def test_a_model_whose_price_nobody_knows_is_said_to_be_so(tmp_path: Path) -> None:
    run = a_run(tmp_path, agent_model="hosted_vllm/of-my-own")
    fill(run.warehouse, 3)
    put(run.warehouse, "simulated_dialogues", session("a", "scripted/teacher", 3.0))
    put(run.warehouse, "llm_calls", call(1, "a", "agent", 1_000, 10), call(2, "a", "user", 1_000, 10))
    found = project(run, [DOMAIN])
    assert found.sent_per_session == 2_000 and found.usd is None
    known = project(a_run(tmp_path), [DOMAIN])
    assert known.usd == 0.0
