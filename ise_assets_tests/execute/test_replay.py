"""Replay in real workspaces: what reproduces, what does not, what waits, and what the warehouse holds afterwards."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute import replay as replay_module
from ise_assets.execute.acceptance import run_checks
from ise_assets.execute.manifest import manifest_of
from ise_assets.execute.models import LiveCall, Trace, WorkspaceDied
from ise_assets.execute.replay import ATTEMPTS, replay_session, replies_of
from ise_assets.execute.seed import SeedError, plant
from ise_assets.execute.stage import replay_domain
from ise_assets.execute.tool_schemas import TOOLS
from ise_assets.execute.tools import call_tool
from ise_assets.execute.workspace import Backend, Channel, Limits, Workspace, open_backend
from ise_assets.intent.models import Intent
from ise_assets.journal import Journal
from ise_assets.settings import Settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow
from ise_assets_tests.simulate.ledger_session import ROOT, TASK, TASKS, make_intent

Wanted = tuple[str, dict[str, Any] | str]
SUM: Wanted = ("write", {"path": f"{ROOT}/total.txt", "content": "42\n"})
SLIP: Wanted = ("exec", {"command": f"cat {ROOT}/ledger.txt"})
LOOK: Wanted = ("exec", {"command": f"cat {ROOT}/ledger.csv"})


@pytest.fixture(scope="module")
def backend() -> Backend:
    return open_backend("auto")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, workspace_memory_mib=256, workspace_disk_mib=32)  # type: ignore[call-arg]


async def record(
    backend: Backend,
    settings: Settings,
    *wanted: Wanted,
    pause_s: float = 0.0,
    intent: Intent | None = None,
    said: str = "It is 42.",
) -> dict[str, Any]:
    """A session's row as the live stage writes it: `wanted` called in a workspace, `pause_s` of thought before each call."""
    intent = intent or make_intent()
    calls = []
    async with await Workspace.start(backend, Limits.of(settings)) as workspace:
        truths = await plant(workspace, intent, TASKS)
        await run_checks(workspace, intent, TASKS, truths, {}, None)
        await workspace.mark_baseline()
        started = time.monotonic()
        for index, (name, arguments) in enumerate(wanted):
            await asyncio.sleep(pause_s)
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            offset_s = time.monotonic() - started
            result = await call_tool(workspace, name, text, call_index=index, settings=settings)
            found = asdict(result)
            calls.append(LiveCall(index, 1, f"c{index}", name, text, offset_s=offset_s, **found))
        files = await manifest_of(workspace)
    return {**row(intent, [asdict(call) for call in calls], said), "files": json.dumps(files)}


def row(intent: Intent, calls: list[dict[str, Any]], said: str = "It is 42.") -> dict[str, Any]:
    messages = [{"role": "user", "content": intent.utterance}, {"role": "assistant", "content": said}]
    return {
        "id": f"dialogue-{intent.id}",
        "intent_id": intent.id,
        "messages": json.dumps(messages),
        "calls": json.dumps(calls),
        "subgoal_turns": json.dumps({"0.total": [1]}),
        "files": None,
        "tools": json.dumps(TOOLS),
    }


def changed_live(dialogue: dict[str, Any], index: int, **values: Any) -> dict[str, Any]:
    calls = json.loads(dialogue["calls"])
    calls[index] |= values
    return {**dialogue, "calls": json.dumps(calls)}


async def replayed(dialogue: dict[str, Any], backend: Backend, settings: Settings) -> Trace:
    return await replay_session(dialogue, make_intent(), TASKS, backend, settings)


async def test_a_good_session_reproduces_and_is_accepted(backend: Backend, settings: Settings) -> None:
    dialogue = await record(backend, settings, SLIP, LOOK, SUM)
    trace = await replayed(dialogue, backend, settings)
    assert trace.reproduced and trace.accepted and not trace.declined and trace.divergence == []
    assert [(c["name"], c["held_before"], c["held_after"]) for c in trace.checks] == [
        ("0.a0", False, True),
        ("0.a1", False, True),
    ]
    assert [(g["name"], g["held_before"], g["held_after"]) for g in trace.guards] == [("0.g0", True, True)]
    assert [c["failure_class"] for c in trace.calls] == ["missing_path", None, None]
    assert [c["recovery_id"] for c in trace.calls] == ["r1", "r1", None]
    assert trace.recovery_spans == [{"id": "r1", "failed_call": 0, "recovered_call": 1, "how": "changed_arguments"}]
    assert [(f["path"], f["change"]) for f in trace.changed_files] == [(f"{ROOT}/total.txt", "added")]
    assert trace.changed_files == json.loads(dialogue["files"])
    assert trace.backend == backend.name


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([LOOK], "It is 42."),
        ([SUM], "Done."),
        ([SUM, ("exec", {"command": f"echo x >> {ROOT}/ledger.csv"})], "It is 42."),
    ],
    ids=["nothing written", "nothing said", "guard broken"],
)
async def test_what_lacks_a_check_or_breaks_a_guard_is_not_accepted(
    backend: Backend, settings: Settings, calls: list[Wanted], said: str
) -> None:
    trace = await replayed(await record(backend, settings, *calls, said=said), backend, settings)
    assert trace.reproduced and not trace.accepted


async def test_clocks_and_temporary_names_do_not_diverge(backend: Backend, settings: Settings) -> None:
    noisy = "date; date +%s.%N; mktemp; ls -la ~; python3 -c 'print(object())'; time true; echo pid $$"
    dialogue = await record(backend, settings, ("exec", {"command": noisy}), SUM)
    trace = await replayed(dialogue, backend, settings)
    assert trace.divergence == []


async def test_git_commits_come_out_the_same(backend: Backend, settings: Settings) -> None:
    commit = f"cd {ROOT} && git init -q && git add -A && git commit -qm first && git rev-parse HEAD"
    dialogue = await record(backend, settings, ("exec", {"command": commit}), SUM)
    assert (await replayed(dialogue, backend, settings)).reproduced


async def test_chance_is_a_divergence_with_both_sides(backend: Backend, settings: Settings) -> None:
    dialogue = await record(backend, settings, ("exec", {"command": "seq 400; cat /proc/sys/kernel/random/uuid"}), SUM)
    trace = await replayed(dialogue, backend, settings)
    (found,) = trace.divergence
    assert not trace.reproduced and trace.accepted
    assert (found["call"], found["what"]) == (0, "content")
    assert found["live"] != found["replay"] and "400" in found["live"]
    assert max(len(found["live"]), len(found["replay"])) <= 500
    assert [call["reproduced"] for call in trace.calls] == [False, True]


async def test_another_exit_code_is_a_divergence_and_the_live_result_stays(
    backend: Backend, settings: Settings
) -> None:
    dialogue = changed_live(await record(backend, settings, LOOK), 0, outcome="nonzero_exit", exit_code=7)
    trace = await replayed(dialogue, backend, settings)
    assert {(d["what"], d["live"], d["replay"]) for d in trace.divergence} == {
        ("outcome", "nonzero_exit", "ok"),
        ("exit_code", "7", "0"),
    }
    (call,) = trace.calls
    assert (call["exit_code"], call["replay_exit_code"], call["replay_outcome"]) == (7, 0, "ok")


@pytest.mark.parametrize("arguments", ["[]", "null", "{not json", '{"command": 7}', "[" * 5_000])
async def test_malformed_calls_replay_as_they_were(backend: Backend, settings: Settings, arguments: str) -> None:
    dialogue = await record(backend, settings, ("exec", arguments), ("process", arguments), ("shell", "{}"), SUM)
    trace = await replayed(dialogue, backend, settings)
    assert trace.reproduced and trace.accepted
    assert [c["failure_class"] for c in trace.calls] == ["bad_arguments"] * 3 + [None]


async def test_a_poll_is_repeated_until_it_shows_what_it_showed(backend: Backend, settings: Settings) -> None:
    dialogue = await record(
        backend,
        settings,
        ("exec", {"command": "sleep 0.4; echo ready; sleep 0.4; echo done", "background": True}),
        ("process", {"action": "poll", "id": "p1"}),
        ("process", {"action": "poll", "id": "p1"}),
        pause_s=0.6,
    )
    shown = [call["content"] for call in json.loads(dialogue["calls"])]
    assert "running" in shown[1] and "ready" in shown[1] and "done" in shown[2]
    assert (await replayed(dialogue, backend, settings)).divergence == []


async def test_a_call_after_background_work_waits_as_long_as_the_model_thought(
    backend: Backend, settings: Settings
) -> None:
    for start in (
        {"command": "sleep 0.5; echo done > result", "background": True},
        {"command": "(sleep 0.5; echo done > result) &"},
    ):
        dialogue = await record(backend, settings, ("exec", start), ("exec", {"command": "cat result"}), pause_s=1.0)
        assert json.loads(dialogue["calls"])[1]["content"] == "done"
        assert (await replayed(dialogue, backend, settings)).divergence == []


async def test_without_background_work_nothing_waits(backend: Backend, settings: Settings) -> None:
    dialogue = changed_live(await record(backend, settings, LOOK, SUM), 1, offset_s=900.0)
    began = time.monotonic()
    assert (await replayed(dialogue, backend, settings)).reproduced
    assert time.monotonic() - began < 20


async def test_a_poll_that_never_gets_there_is_given_up(
    backend: Backend, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "_POLL_LONGER_S", 0.3)
    dialogue = await record(
        backend, settings, ("exec", {"command": "sleep 60", "background": True}), ("process", {"action": "list"})
    )
    trace = await replayed(changed_live(dialogue, 1, content="p1  exited with 0  sleep 60"), backend, settings)
    assert [d["call"] for d in trace.divergence] == [1]


async def test_files_that_end_otherwise_diverge(backend: Backend, settings: Settings) -> None:
    """Each call looks as it did, what it left does not: a random number, a file of a random name, one that is not written."""
    quiet = (
        "echo $RANDOM$RANDOM$RANDOM > drawn; touch drawn-$RANDOM$RANDOM; date > when; mktemp -p . > made; ln -s x link; "
        "printf 'a\\0b' > binary; gzip -k when; mkfifo pipe; touch closed; chmod 0 closed; echo $$ > it.pid"
    )
    dialogue = await record(backend, settings, SUM, ("exec", {"command": f"mkdir w && cd w && {{ {quiet}; }}"}))
    trace = await replayed(dialogue, backend, settings)
    assert not trace.reproduced and trace.accepted
    found = {d["what"].split("/")[-1].rstrip("0123456789"): (d["live"], d["replay"]) for d in trace.divergence}
    assert found.keys() == {"drawn", "drawn-"}  # clocks, temporary names, archives and pids are as they may be
    assert all(side.startswith("added file") for side in found["drawn"])
    assert found["drawn-"][0] == "unchanged" or found["drawn-"][1] == "unchanged"
    assert len(trace.divergence) == 3 and {d["call"] for d in trace.divergence} == {None}


async def test_a_session_of_an_older_version_has_no_manifest_to_compare(backend: Backend, settings: Settings) -> None:
    dialogue = {**await record(backend, settings, ("exec", {"command": "echo $RANDOM$RANDOM > drawn"})), "files": None}
    assert (await replayed(dialogue, backend, settings)).reproduced


class Dying(Backend):
    """The first `deaths` workspaces that it opens are dead on arrival."""

    name = "dying"

    def __init__(self, inner: Backend, deaths: int) -> None:
        self.inner, self.deaths, self.opened = inner, deaths, 0

    def probe(self) -> str | None:
        return self.inner.probe()

    async def open(self, limits: Limits) -> Channel:
        self.opened += 1
        if self.opened > self.deaths:
            return await self.inner.open(limits)
        pipe = subprocess.PIPE
        return Channel(subprocess.Popen(["false"], stdin=pipe, stdout=pipe, stderr=pipe), limits)

    def sweep(self) -> None:
        self.inner.sweep()


async def test_a_dead_workspace_is_tried_again_and_not_for_ever(backend: Backend, settings: Settings) -> None:
    dialogue = await record(backend, settings, SUM)
    assert (await replayed(dialogue, Dying(backend, ATTEMPTS - 1), settings)).accepted
    dying = Dying(backend, 99)
    with pytest.raises(WorkspaceDied):
        await replayed(dialogue, dying, settings)
    assert dying.opened == ATTEMPTS


async def test_a_checker_that_fails_only_afterwards_is_the_agents_doing(
    backend: Backend, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialogue = await record(backend, settings, SUM)
    answered = replay_module.run_checks

    async def broken_afterwards(*given: Any) -> Any:
        if given[-1] is not None:
            raise replay_module.CheckerError("the checker answered exit 1: no space")
        return await answered(*given)

    monkeypatch.setattr(replay_module, "run_checks", broken_afterwards)
    trace = await replayed(dialogue, backend, settings)
    assert not trace.accepted and trace.reproduced
    assert {c["held_after"] for c in [*trace.checks, *trace.guards]} == {False}
    assert "no space" in trace.checks[0]["evidence"]


def test_replies_are_all_the_agent_said_in_a_subgoals_turns() -> None:
    said = [
        ("system", "s"),
        ("user", "1"),
        ("assistant", "a"),
        ("tool", "t"),
        ("assistant", "b"),
        ("user", "2"),
        ("assistant", None),
        ("assistant", "c"),
    ]
    messages = [{"role": role, "content": text} for role, text in said]
    dialogue = {
        "messages": json.dumps(messages),
        "subgoal_turns": json.dumps({"0.x": [1], "0.y": [2, 9], "0.z": [1, 2]}),
    }
    assert replies_of(dialogue) == {"0.x": "a\nb", "0.y": "c", "0.z": "a\nb\nc"}
    assert replies_of({**dialogue, "subgoal_turns": None}) == {}


# ---- the stage ----


@pytest.fixture
def make_run(settings: Settings, backend: Backend) -> Callable[..., StageRun]:
    def make(*sessions: tuple[list[Wanted], str], **more: Any) -> StageRun:
        warehouse = Warehouse.of(settings)
        rows = []
        for number, (wanted, status) in enumerate(sessions):
            intent = make_intent(number)
            played = asyncio.run(record(backend, settings, *wanted, intent=intent))
            rows.append(
                {**played, "domain": "file-io", "status": status, "run_id": "r0", "written_at": datetime.now(UTC)}
            )
        put(warehouse, "simulated_dialogues", rows)
        put(warehouse, "intent_pool", [stored(make_intent(n)) for n in range(len(sessions))])
        put(warehouse, "task_catalog", [scenario()], "content_hash")
        return StageRun(warehouse=warehouse, settings=settings, run_id="r1", **more)

    return make


def put(warehouse: Warehouse, table: str, rows: list[dict[str, Any]], key: str = "id") -> None:
    warehouse.write(lambda c: replace_rows(c, table, rows_to_arrow(table, rows), [key]))


def stored(intent: Intent) -> dict[str, Any]:
    body = intent.model_dump(mode="json")
    body |= {key: json.dumps(body[key]) for key in ("seed", "subgoals", "acceptance", "scenario_hashes")}
    return {**body, "run_id": "r0", "written_at": datetime.now(UTC)}


def scenario(**more: Any) -> dict[str, Any]:
    spec = {**TASK.model_dump(mode="json", by_alias=True), **more}
    return {
        "content_hash": TASK.content_hash,
        "name": TASK.name,
        "domain": TASK.domain,
        "spec": json.dumps(spec),
        "run_id": "r0",
    }


TRACES = "SELECT * FROM executed_traces ORDER BY dialogue_id"
CALLS = "SELECT * FROM tool_calls ORDER BY dialogue_id, call_index"


def test_a_domain_is_replayed_once(make_run: Callable[..., StageRun]) -> None:
    grep: Wanted = ("exec", {"command": "grep -q nothing /home/user/.gitconfig"})
    run = make_run(
        ([SLIP, LOOK, grep, SUM], "completed"), ([SLIP], "gave_up"), ([LOOK], "turn_limit"), ([SUM], "error")
    )
    seen: list[tuple[int, int]] = []
    summary = replay_domain(replace(run, progress=lambda done, total, what: seen.append((done, total))), "file-io")
    assert json.dumps(summary)
    assert {k: summary[k] for k in ("traces", "new_traces", "reproduced", "accepted", "declined", "calls", "stale")} == {
        "traces": 3, "new_traces": 3, "reproduced": 3, "accepted": 1, "declined": 0, "calls": 6, "stale": 0,
    }  # fmt: skip
    assert (summary["failures"], summary["recoveries"], summary["sessions_with_recovery"]) == (2, 1, 1)
    assert summary["failure_classes"] == {"missing_path": 2, "benign": 1}
    assert summary["divergent"] == [] and summary["died"] == []
    assert seen[0] == (0, 3) and seen[-1] == (3, 3)
    traces, calls = run.warehouse.rows(TRACES), run.warehouse.rows(CALLS)
    assert all(
        t["domain"] == "file-io" and t["run_id"] == "r1" and t["spec_hash"] and t["written_at"] for t in traces + calls
    )
    assert [c["call_index"] for c in calls] == [0, 1, 2, 3, 0, 0]
    again = replay_domain(replace(run, run_id="r2"), "file-io")
    assert again == {**summary, "new_traces": 0}
    assert (run.warehouse.rows(TRACES), run.warehouse.rows(CALLS)) == (traces, calls)


def test_what_a_killed_run_left_in_the_journal_is_folded_and_not_done_again(make_run: Callable[..., StageRun]) -> None:
    run = make_run(([SUM], "completed"))
    replay_domain(run, "file-io")
    (trace,), calls = run.warehouse.rows(TRACES), run.warehouse.rows(CALLS)
    run.warehouse.write(lambda c: [c.execute(f"DELETE FROM {table}") for table in ("executed_traces", "tool_calls")])
    with Journal(run.settings.journals_dir / "executed_traces" / "file-io.sqlite") as journal:
        body = {"trace": {**trace, "written_at": None}, "calls": [{**call, "written_at": None} for call in calls]}
        journal.append(trace["dialogue_id"], body)
    assert replay_domain(run, "file-io")["new_traces"] == 0
    assert [t["dialogue_id"] for t in run.warehouse.rows(TRACES)] == [trace["dialogue_id"]]
    with Journal(run.settings.journals_dir / "executed_traces" / "file-io.sqlite") as journal:
        assert journal.ids() == set()


def test_stale_traces_are_counted_and_redone_only_on_request(make_run: Callable[..., StageRun]) -> None:
    run = make_run(([SLIP, SUM], "completed"))
    replay_domain(run, "file-io")
    run.warehouse.write(lambda c: c.execute("UPDATE executed_traces SET spec_hash = 'old'"))
    counted = replay_domain(run, "file-io")
    assert (counted["stale"], counted["new_traces"]) == (1, 0)
    redone = replay_domain(replace(run, refresh=True), "file-io")
    assert (redone["new_traces"], redone["traces"], redone["calls"]) == (1, 1, 2)


def test_a_session_that_was_run_again_is_replayed_again(make_run: Callable[..., StageRun]) -> None:
    run = make_run(([SLIP, SUM], "completed"))
    replay_domain(run, "file-io")
    make_run(([SUM], "completed"))
    summary = replay_domain(run, "file-io")
    assert (summary["new_traces"], summary["traces"], summary["calls"]) == (1, 1, 1)


def test_odd_arguments_reach_the_warehouse_as_json(make_run: Callable[..., StageRun]) -> None:
    odd = ['{"command": "echo \\ud800"}', "NaN", "{broken", "", '{"command": "echo \\u0000"}']
    run = make_run(([("exec", text) for text in odd], "completed"))
    assert replay_domain(run, "file-io")["calls"] == len(odd)
    found = [row["arguments"] for row in run.warehouse.rows(CALLS)]
    assert [isinstance(json.loads(text), str) for text in found] == [True, True, True, True, False]


def test_one_sessions_dying_workspaces_do_not_stop_the_others(
    make_run: Callable[..., StageRun], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(([SUM], "completed"), ([SUM], "completed"))
    run = replace(run, settings=run.settings.model_copy(update={"max_concurrent_sessions": 1}))
    monkeypatch.setattr("ise_assets.execute.stage.open_backend", lambda name: Dying(backend, ATTEMPTS))
    first = replay_domain(run, "file-io")
    assert (first["new_traces"], len(first["died"])) == (1, 1)
    monkeypatch.setattr("ise_assets.execute.stage.open_backend", lambda name: Dying(backend, 99))
    with pytest.raises(WorkspaceDied):
        replay_domain(run, "file-io")
    monkeypatch.setattr("ise_assets.execute.stage.open_backend", lambda name: backend)
    assert replay_domain(run, "file-io")["traces"] == 2


def test_a_scenario_at_fault_stops_the_run_after_the_others_are_kept(make_run: Callable[..., StageRun]) -> None:
    run = make_run(([SUM], "completed"), ([SUM], "completed"))
    broken = {**scenario(seed=[{"run": "exit 3"}]), "content_hash": "broken"}
    put(run.warehouse, "task_catalog", [broken], "content_hash")
    intent = make_intent(1)
    instance = intent.seed[0].model_copy(update={"scenario_hash": "broken"})
    faulty = intent.model_copy(update={"seed": (instance,), "scenario_hashes": {TASK.name: "broken"}})
    put(run.warehouse, "intent_pool", [stored(faulty)])
    with pytest.raises(SeedError, match="exit code 3"):
        replay_domain(run, "file-io")
    assert [row["intent_id"] for row in run.warehouse.rows(TRACES)] == ["intent0"]
