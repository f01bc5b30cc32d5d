"""Sessions with a model server that fails in every way: nothing is lost, doubled or hung, and every label is right."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ise_assets import llm
from ise_assets.journal import Journal
from ise_assets.settings import PROJECT, Settings, SettingsError
from ise_assets.simulate.context import Elision, as_sent
from ise_assets.simulate.stage import SimulationStopped, session_work, simulate_domain
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse
from ise_assets_tests.simulate.ledger_session import fill
from ise_assets_tests.simulate.model_server import PARALLEL, Served, serving

DOMAIN = "file-io"
MODEL = "hosted_vllm/m"
CALLS_PER_TURN = 6
UNUSABLE = ("prose", "wrong_schema", "drift", "ahead", "empty")


@pytest.fixture
def make_run(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Callable[..., StageRun]:
    monkeypatch.setattr(llm, "_BACKOFF_S", 0.05)

    def make(count: int, **overrides: Any) -> StageRun:
        models = {"user_model": MODEL, "agent_model": MODEL}
        settings = make_settings(**{**models, "max_concurrent_sessions": 8, "model_timeout_s": 3.0, **overrides})
        run = StageRun(Warehouse.of(settings), settings, "r1")
        fill(run.warehouse, count)
        return run

    return make


@contextmanager
def server(monkeypatch: pytest.MonkeyPatch, **options: float) -> Iterator[Served]:
    with serving(**options) as served:
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", served.base)
        yield served


def again(run: StageRun, **overrides: Any) -> StageRun:
    return replace(run, settings=run.settings.model_copy(update=overrides), run_id="r2")


def sessions(run: StageRun) -> list[dict[str, Any]]:
    return run.warehouse.rows("SELECT * FROM simulated_dialogues ORDER BY intent_id, rollout_index")


@pytest.mark.parametrize("count", [48, pytest.param(1_000, marks=pytest.mark.long)])
def test_a_server_that_fails_in_every_way_costs_no_session(
    count: int, make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    # `max_tool_calls` leaves room for two bursts of 200 parallel calls
    run = make_run(count, max_concurrent_sessions=16, max_tool_calls=2 * PARALLEL + 100)
    with server(monkeypatch, faults=0.25, hang_s=4) as served:
        summary = simulate_domain(run, DOMAIN)
        stats = served.stats()
    rows = sessions(run)
    assert [row["intent_id"] for row in rows] == sorted(f"intent{n}" for n in range(count))
    failed = [row for row in rows if row["status"] == "error"]
    assert (summary["sessions"], summary["new_sessions"], summary["remaining"]) == (count, count, len(failed))
    assert len(failed) <= 0.01 * count
    faults = Counter({k.removeprefix("fault_"): n for k, n in stats["counts"].items() if k.startswith("fault_")})
    print(f"{count} sessions, {stats['counts']['requests']} requests, faults {dict(faults)}")
    assert faults.total() >= 0.2 * stats["counts"]["requests"]
    for row in rows:
        put_in = Counter(stats["by_session"].get(row["intent_id"].removeprefix("intent"), {}))
        unusable = sum(put_in[f"user {fault}"] for fault in UNUSABLE)
        if (
            row["status"] == "error"
        ):  # three turns in a row that no user could have written; it is tried again from there
            assert row["stop_reason"].startswith("UserModelError") and unusable >= 3
            continue
        calls = json.loads(row["calls"])
        outcomes = Counter(call["outcome"] for call in calls)
        if row["stop_reason"] == "max_tool_calls":
            assert row["status"] == "turn_limit" and len(calls) == run.settings.max_tool_calls
            continue
        assert row["status"] == "completed", row["stop_reason"]
        assert outcomes["invalid_arguments"] == put_in["agent malformed"]
        assert outcomes["unknown_tool"] == put_in["agent unknown_tool"]
        assert sum(call["arguments"] == '{"command": "true"}' for call in calls) >= PARALLEL * put_in["agent parallel"]
        assert 0 <= unusable - row["regenerated_turns"] <= 1  # after the third in a row plain words are taken
        assert (row["drift_turns"] > 0) == (put_in["user drift"] > 0)
        wrote = any(call["name"] == "write" and "total.txt" in call["arguments"] for call in calls)
        assert row["accepted_live"] is wrote
        assert wrote or put_in["agent refusal"]
        for message in json.loads(row["messages"]):
            assert message["role"] != "assistant" or message.get("content") or len(message) > 1
    if failed:
        with server(monkeypatch, faults=0.05, seed=2, hang_s=4):
            assert simulate_domain(again(run), DOMAIN)["remaining"] == 0
        assert len(sessions(run)) == count and all(row["status"] != "error" for row in sessions(run))


def test_every_request_of_the_agent_can_be_given_back_exactly(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(12, max_context_tokens=700)
    with server(monkeypatch, keep=1, faults=0.1, hang_s=4) as served:
        simulate_domain(run, DOMAIN)
        bodies = [body for body in served.stats()["bodies"] if body["role"] == "agent"]
    left_out = 0
    for row in sessions(run):
        messages = json.loads(row["messages"])
        elisions = [Elision(**elision) for elision in json.loads(row["elisions"])]
        left_out += len(elisions)
        sent = [b["body"] for b in bodies if b["session"] == row["intent_id"].removeprefix("intent")]
        answered = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
        assert len(sent) >= len(answered) > 0
        rebuilt = [json.dumps(as_sent(messages, elisions, index)) for index in answered]
        received = [json.dumps(body["messages"]) for body in sent]
        # an answer that got lost on its way was asked for again with the same bytes
        assert [text for n, text in enumerate(received) if n == 0 or text != received[n - 1]] == rebuilt
        assert {json.dumps(body["tools"]) for body in sent} == {json.dumps(json.loads(row["tools"]))}
    assert left_out > 0


def test_what_a_model_calls_too_long_is_made_shorter_until_nothing_is_left_to_leave_out(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(2, agent_model="openai/m")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with server(monkeypatch, context_chars=1_200) as served:
        monkeypatch.setenv("OPENAI_API_BASE", served.base)
        simulate_domain(run, DOMAIN)
        assert served.stats()["counts"]["too_long"] >= 2
    for row in sessions(run):
        assert (row["status"], row["stop_reason"]) == ("turn_limit", "context_full")
        assert json.loads(row["messages"])[-1]["role"] in ("tool", "user")
    roomier = make_run(2, agent_model="openai/m", home=run.settings.home / "roomier")
    with server(monkeypatch, context_chars=7_000) as served:
        monkeypatch.setenv("OPENAI_API_BASE", served.base)
        assert simulate_domain(roomier, DOMAIN)["accepted_live"] == 2
        assert served.stats()["counts"]["too_long"] == 2
    assert all(len(json.loads(row["elisions"])) == 1 for row in sessions(roomier))


def test_limits_of_a_session_end_it_with_their_name(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(monkeypatch):
        run = make_run(1, max_session_tokens=1_500)
        simulate_domain(run, DOMAIN)
        (row,) = sessions(run)
        assert (row["status"], row["stop_reason"]) == ("turn_limit", "max_session_tokens")
        assert 1_500 <= row["prompt_tokens"] + row["completion_tokens"] < 5_000


def test_a_model_that_is_slower_than_the_session_may_last_ends_it_as_too_long(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(monkeypatch, latency_ms=4_000):
        run = make_run(2, max_session_minutes=0.04, model_timeout_s=60.0)
        simulate_domain(run, DOMAIN)
    assert {(row["status"], row["stop_reason"]) for row in sessions(run)} == {("turn_limit", "max_session_minutes")}


def test_a_budget_ends_the_run_cleanly_and_the_next_one_goes_on(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(monkeypatch) as served:
        with pytest.raises(SettingsError, match=r"ISE_MODEL_PRICES, like hosted_vllm/unpriced=0\.5:1\.5"):
            simulate_domain(make_run(1, max_cost_usd=1.0, user_model="hosted_vllm/unpriced"), DOMAIN)
        run = make_run(10, max_cost_usd=0.10, model_prices={MODEL: (1.0, 100.0)}, max_concurrent_sessions=2)
        first = simulate_domain(run, DOMAIN)
        assert first["stopped_by"] == "ISE_MAX_COST_USD" and 0 < first["new_sessions"] < 10
        assert first["new_sessions"] + first["remaining"] == 10
        assert 0.10 <= first["cost_usd_of_run"] < 0.12
        assert {row["status"] for row in sessions(run)} == {"completed"}
        second = simulate_domain(again(run, max_cost_usd=9.0), DOMAIN)
        assert (second["stopped_by"], second["remaining"], second["accepted_live"]) == (None, 0, 10)
        asked = served.stats()["counts"]["requests"]
    # what had been paid for was not paid for again, but for a turn of each of the two sessions in flight
    assert asked <= 10 * 3 * CALLS_PER_TURN + 2 * CALLS_PER_TURN
    total = run.warehouse.scalar("SELECT sum(cost_usd) FROM llm_calls")
    assert total == pytest.approx(run.warehouse.scalar("SELECT sum(cost_usd) FROM simulated_dialogues"))
    assert first["cost_usd_of_run"] + second["cost_usd_of_run"] == pytest.approx(total, rel=0.2)


def test_a_key_that_is_revoked_midway_stops_the_run_and_costs_at_most_a_turn_a_session(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(6, max_concurrent_sessions=3, max_attempts=2)
    with server(monkeypatch, revoke_after=80), pytest.raises(SimulationStopped, match=r"revoked.*run again to go on"):
        simulate_domain(run, DOMAIN)
    done = sum(row["status"] == "completed" for row in sessions(run))
    assert done < 6 and len(session_work(run, DOMAIN)[0]) == 6 - done
    with server(monkeypatch) as served:
        summary = simulate_domain(again(run), DOMAIN)
        asked = served.stats()["counts"]["requests"]
    assert summary["accepted_live"] == 6 and summary["resumed_sessions"] >= 1
    assert asked <= 6 * 3 * CALLS_PER_TURN - 80 + 3 * CALLS_PER_TURN


def test_answers_that_are_kept_are_not_paid_for_again(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with server(monkeypatch, faults=0.1, hang_s=4) as served:
        first = make_run(4, response_cache=str(tmp_path / "answers.sqlite"))
        simulate_domain(first, DOMAIN)
        asked = served.stats()["counts"]["requests"]
        second = make_run(4, response_cache=str(tmp_path / "answers.sqlite"), home=tmp_path / "second")
        simulate_domain(second, DOMAIN)
        assert served.stats()["counts"]["requests"] - asked <= 4  # empty answers are not kept
        assert [row["messages"] for row in sessions(second)] == [row["messages"] for row in sessions(first)]
        assert second.warehouse.scalar("SELECT sum(attempts) FROM llm_calls") <= 4
        simulate_domain(
            make_run(1, rollouts=2, response_cache=first.settings.response_cache, home=tmp_path / "3"), DOMAIN
        )
        assert served.stats()["counts"]["requests"] - asked >= 3 * CALLS_PER_TURN


def test_enough_accepted_sessions_of_an_intent_spare_the_further_ones(
    make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(monkeypatch):
        run = make_run(3, rollouts=4, rollouts_accepted=2, max_concurrent_sessions=2)
        summary = simulate_domain(run, DOMAIN)
        assert (summary["sessions"], summary["accepted_live"], summary["remaining"]) == (6, 6, 0)
        assert summary["pass_rate_by_scenario"] == {"sum-the-ledger": [1.0, 6]}
        assert summary["intents_by_pass_rate"] == {"1.0": 3}
        more = simulate_domain(again(run, rollouts_accepted=3), DOMAIN)
        assert (more["sessions"], more["remaining"]) == (9, 0)


_PROGRAM = """
import sys
from ise_assets import llm
from ise_assets_tests.simulate.test_faults import *
llm._BACKOFF_S = 0.05
settings = Settings(_env_file=None, home=sys.argv[1], user_model=MODEL, agent_model=MODEL, max_concurrent_sessions=8)
print("begun", flush=True)
simulate_domain(StageRun(Warehouse.of(settings), settings, "killed"), DOMAIN)
"""
_SAME = "id, status, stop_reason, accepted_live, attempts, user_turns, messages, tools, subgoal_turns, files, elisions"


@pytest.mark.parametrize(("count", "kills"), [(24, 4), pytest.param(240, 50, marks=pytest.mark.long)])
def test_killed_at_any_moment_a_run_ends_like_one_that_was_not_and_asks_little_twice(
    count: int, kills: int, make_run: Callable[..., StageRun], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = {"latency_ms": 20.0}
    run = make_run(count)
    with server(monkeypatch, **settings) as served:
        simulate_domain(run, DOMAIN)
        whole = served.stats()["counts"]["requests"]
    calm = run.warehouse.rows(f"SELECT {_SAME} FROM simulated_dialogues ORDER BY id")
    killed = make_run(count, home=tmp_path / "killed")
    rng, done = random.Random(1), 0
    with server(monkeypatch, **settings) as served:
        for _ in range(kills):
            before = served.stats()["counts"].get("requests", 0)
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(killed.settings.home)],
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                env={**os.environ},
            )
            # some requests later, so that each life gets somewhere: a kill while it starts would test nothing
            wanted = before + rng.randint(1, max(2, 2 * whole // kills // 3))
            while process.poll() is None and served.stats()["counts"].get("requests", 0) < wanted:
                time.sleep(0.005)
            done += process.poll() is None
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        summary = simulate_domain(killed, DOMAIN)
        asked = served.stats()["counts"]["requests"]
    assert done == kills and summary["remaining"] == 0
    assert killed.warehouse.rows(f"SELECT {_SAME} FROM simulated_dialogues ORDER BY id") == calm
    assert killed.warehouse.scalar("SELECT count(*) - count(DISTINCT id) FROM llm_calls") == 0
    print(f"{kills} kills: {asked} requests for {whole}")
    assert asked - whole <= kills * 8 * CALLS_PER_TURN
    with Journal(killed.settings.journals_dir / "simulated_dialogues" / f"{DOMAIN}.sqlite") as journal:
        assert journal.ids("checkpoint") == journal.ids() == set()
