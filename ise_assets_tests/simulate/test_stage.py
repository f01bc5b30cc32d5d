"""A domain's sessions: what is missing is done, what failed is retried, and nothing finished is lost or done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute.workspace import Backend
from ise_assets.journal import Journal
from ise_assets.llm import Script
from ise_assets.settings import PROJECT, Settings, SettingsError
from ise_assets.simulate.stage import SimulationStopped, session_work, simulate_domain
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse
from ise_assets_tests.simulate.ledger_session import GOOD_USER, Playlist, fill, good_agent

DOMAIN = "file-io"
SESSIONS = "SELECT * FROM simulated_dialogues ORDER BY id"


def good_scripts(*_: Any) -> tuple[Script, Script]:
    return Playlist(*GOOD_USER), Playlist(*good_agent())


@pytest.fixture
def make_run(make_settings: Callable[..., Settings], backend: Backend) -> Callable[..., StageRun]:
    def make(count: int = 3, **overrides: Any) -> StageRun:
        settings = make_settings(**overrides)
        warehouse = Warehouse.of(settings)
        fill(warehouse, count)
        return StageRun(warehouse=warehouse, settings=settings, run_id="r1")

    return make


def again(run: StageRun, **overrides: Any) -> StageRun:
    return replace(run, settings=run.settings.model_copy(update=overrides), run_id="r2")


def test_every_kept_intent_gets_its_sessions_once(make_run: Callable[..., StageRun]) -> None:
    run = make_run(3, rollouts=2)
    seen: list[tuple[int, int]] = []
    run = replace(run, progress=lambda done, total, what: seen.append((done, total)))
    summary = simulate_domain(run, DOMAIN, good_scripts)
    assert (summary["sessions"], summary["new_sessions"], summary["accepted_live"], summary["remaining"]) == (
        6,
        6,
        6,
        0,
    )
    assert summary["statuses"] == {"completed": 6} and summary["user_turns_mean"] == 3.0
    assert "**user:**" in summary["sample_session"] and json.dumps(summary)
    assert seen[0] == (0, 6) and seen[-1] == (6, 6)
    before = run.warehouse.rows(SESSIONS)
    assert {row["backend"] for row in before} != {""} and {row["domain"] for row in before} == {DOMAIN}
    calls = run.warehouse.rows("SELECT role, count(*) AS n, count(DISTINCT id) AS ids FROM llm_calls GROUP BY role")
    assert {row["role"]: row["n"] for row in calls} == {"user": 18, "agent": 48}
    assert all(row["n"] == row["ids"] for row in calls)
    second = simulate_domain(again(run), DOMAIN, good_scripts)
    assert second["new_sessions"] == 0 and run.warehouse.rows(SESSIONS) == before


def test_the_scripted_teacher_plays_where_no_other_scripts_are_given(make_run: Callable[..., StageRun]) -> None:
    run = make_run(1)
    summary = simulate_domain(run, DOMAIN)
    assert (summary["statuses"], summary["drift_turns"], summary["regenerated_turns"]) == ({"completed": 1}, 0, 0)
    (row,) = run.warehouse.rows(SESSIONS)
    assert json.loads(row["subgoal_turns"]) == {"0.total": [1], "0.note": [2], "verification": [3]}


def test_more_rollouts_only_add(make_run: Callable[..., StageRun]) -> None:
    run = make_run(2)
    simulate_domain(run, DOMAIN, good_scripts)
    assert simulate_domain(again(run, rollouts=3), DOMAIN, good_scripts)["new_sessions"] == 4


def test_what_a_killed_run_left_in_the_journal_is_folded_first(make_run: Callable[..., StageRun]) -> None:
    run = make_run(2)
    simulate_domain(run, DOMAIN, good_scripts)
    rows = run.warehouse.rows(SESSIONS)
    run.warehouse.write(lambda connection: connection.execute("DELETE FROM simulated_dialogues"))
    with Journal(run.settings.journals_dir / "simulated_dialogues" / f"{DOMAIN}.sqlite") as journal:
        for row in rows:
            body = {**row, "written_at": row["written_at"].isoformat()}
            journal.append(row["id"], {"dialogue": body, "llm_calls": []})
    summary = simulate_domain(again(run), DOMAIN, good_scripts)
    assert (summary["sessions"], summary["new_sessions"]) == (2, 0)
    assert run.warehouse.rows(SESSIONS) == rows


def test_a_run_killed_again_and_again_ends_like_one_that_was_not(make_run: Callable[..., StageRun]) -> None:
    run = make_run(12, max_concurrent_sessions=2)
    database = run.settings.journals_dir / "simulated_dialogues" / f"{DOMAIN}.sqlite"
    program = (
        "import sys; from ise_assets_tests.simulate.test_stage import *\n"
        "settings = Settings(_env_file=None, home=sys.argv[1], max_concurrent_sessions=2)\n"
        "run = StageRun(Warehouse.of(settings), settings, 'killed')\n"
        "simulate_domain(run, DOMAIN, good_scripts)\n"
    )
    for wanted in (2, 5):
        process = subprocess.Popen([sys.executable, "-c", program, str(run.settings.home)], cwd=PROJECT)
        deadline = time.monotonic() + 60
        while _finished(run, database) < wanted and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.wait()
    left = _finished(run, database)
    summary = simulate_domain(run, DOMAIN, good_scripts)
    assert left >= 5 and summary["new_sessions"] == 12 - left
    assert (summary["sessions"], summary["accepted_live"], summary["remaining"]) == (12, 12, 0)
    assert run.warehouse.scalar("SELECT count(DISTINCT id) FROM simulated_dialogues") == 12
    per_session = run.warehouse.rows("SELECT item_id, count(*) AS n FROM llm_calls GROUP BY item_id")
    assert len(per_session) == 12 and {row["n"] for row in per_session} == {11}


def _finished(run: StageRun, database: Path) -> int:
    with Journal(database) as journal:
        return len(journal.ids() | {row["id"] for row in run.warehouse.rows(SESSIONS)})


def test_one_sessions_failure_stops_nothing_and_is_retried_up_to_the_cap(make_run: Callable[..., StageRun]) -> None:
    run = make_run(3, max_attempts=2)

    def one_bad(intent: Any, *_: Any) -> tuple[Script, Script]:
        if intent.id == "intent1":
            raise ValueError("this scenario is broken")
        return good_scripts()

    summary = simulate_domain(run, DOMAIN, one_bad)
    assert summary["statuses"] == {"completed": 2, "error": 1} and summary["remaining"] == 1
    assert simulate_domain(again(run), DOMAIN, one_bad)["new_sessions"] == 1
    assert simulate_domain(again(run), DOMAIN, good_scripts)["new_sessions"] == 0
    (row,) = run.warehouse.rows("SELECT * FROM simulated_dialogues WHERE status = 'error'")
    assert row["attempts"] == 2 and "this scenario is broken" in row["stop_reason"]


def test_a_failed_session_that_succeeds_later_is_one_row(make_run: Callable[..., StageRun]) -> None:
    run = make_run(1)
    simulate_domain(run, DOMAIN, lambda *_: (Playlist(), Playlist("", "", "")))
    assert simulate_domain(again(run), DOMAIN, good_scripts)["statuses"] == {"completed": 1}
    (row,) = run.warehouse.rows(SESSIONS)
    assert row["attempts"] == 2 and row["run_id"] == "r2"
    assert run.warehouse.scalar("SELECT count(*) FROM llm_calls WHERE role = 'agent'") == 3 + 8


def test_other_models_make_sessions_stale_and_only_refresh_does_them_again(make_run: Callable[..., StageRun]) -> None:
    run = make_run(2)
    simulate_domain(run, DOMAIN, good_scripts)
    other = again(run, agent_model="openai/other")
    jobs, stale = session_work(other, DOMAIN)
    assert (jobs, stale) == ([], 2)
    assert len(session_work(replace(other, refresh=True), DOMAIN)[0]) == 2


def test_a_dead_endpoint_stops_the_run_soon_and_costs_no_session_its_tries(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(
        20, agent_model="hosted_vllm/x", model_retries=0, model_timeout_s=5.0, max_attempts=1, max_concurrent_sessions=2
    )
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "http://127.0.0.1:9/v1")
    with pytest.raises(
        SimulationStopped, match=r"file-io: stopped after 8 sessions.*hosted_vllm/x.*run again to go on"
    ):
        simulate_domain(run, DOMAIN, good_scripts)
    rows = run.warehouse.rows(SESSIONS)
    assert 8 <= len(rows) < 12 and {row["status"] for row in rows} == {"error"}
    assert sum(row["attempts"] for row in rows) <= 1
    assert len(session_work(run, DOMAIN)[0]) >= 19


def test_the_time_budget_leaves_the_rest_for_the_next_run(make_run: Callable[..., StageRun]) -> None:
    run = make_run(6, max_minutes_per_run=0.0001, max_concurrent_sessions=2)
    summary = simulate_domain(run, DOMAIN, good_scripts)
    assert summary["new_sessions"] + summary["remaining"] == 6 and summary["remaining"] >= 4
    assert simulate_domain(again(run, max_minutes_per_run=0.0), DOMAIN, good_scripts)["remaining"] == 0


def test_a_wrong_model_is_refused_before_any_work(make_run: Callable[..., StageRun]) -> None:
    run = make_run(1)
    with pytest.raises(SettingsError, match="valid forms"):
        simulate_domain(again(run, user_model="nobody/knows"), DOMAIN, good_scripts)
    assert run.warehouse.rows(SESSIONS) == []


def test_a_domain_without_intents_is_an_empty_summary(make_run: Callable[..., StageRun]) -> None:
    summary = simulate_domain(make_run(1), "multimedia", good_scripts)
    assert (summary["sessions"], summary["new_sessions"], summary["sample_session"]) == (0, 0, "")


class _Interrupt(BaseException):
    """As Dagster's: no `Exception`, raised by a signal handler in the main thread."""


def test_an_interrupt_keeps_what_is_finished_and_leaves_no_workspace(make_run: Callable[..., StageRun]) -> None:
    run = make_run(6, max_concurrent_sessions=3)
    reached = threading.Event()

    def scripts(intent: Any, *_: Any) -> tuple[Script, Script]:
        if intent.id in ("intent0", "intent1"):
            return good_scripts()
        return Playlist(*GOOD_USER), Playlist(*[_sleep(reached)] * 9)

    def interrupt(*_: Any) -> None:
        raise _Interrupt

    def send() -> None:
        reached.wait(60)
        time.sleep(1.0)  # lets the two good sessions end
        os.kill(os.getpid(), signal.SIGUSR1)

    before = _children()
    previous = signal.signal(signal.SIGUSR1, interrupt)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        with pytest.raises(_Interrupt):
            simulate_domain(run, DOMAIN, scripts)
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, previous)
    assert {row["intent_id"] for row in run.warehouse.rows(SESSIONS)} == {"intent0", "intent1"}
    deadline = time.monotonic() + 5
    while (left := _children() - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def _sleep(reached: threading.Event) -> Callable[[Any], dict[str, Any]]:
    from ise_assets_tests.simulate.ledger_session import calls

    def entry(messages: Any) -> dict[str, Any]:
        reached.set()
        return calls(("exec", {"command": "sleep 30"}))

    return entry


def _children() -> set[str]:
    tasks = Path("/proc/self/task")
    return {pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()}
