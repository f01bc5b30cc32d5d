"""Replay: a recorded session's tool calls, in order, in a fresh workspace; what differs is evidence.

The live session pays for the models; the replay costs only commands. A trace that does not reproduce is known to be flaky before
anyone trains on it. Think time is kept where it can matter: once the session has background work, a call waits as long as it did
live, and a look at that work is repeated until it shows the recorded state.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ise_assets.execute.acceptance import CheckerError, is_accepted, run_checks, spoken
from ise_assets.execute.manifest import manifest_differences, manifest_of
from ise_assets.execute.models import CheckResult, LiveCall, ToolResult, Trace, WorkspaceDied
from ise_assets.execute.normalise import normalise
from ise_assets.execute.recovery import failure_class, recovery_spans, starts_in_background
from ise_assets.execute.seed import plant
from ise_assets.execute.tools import call_tool, reaches_outside, tools_of
from ise_assets.execute.workspace import Backend, Limits, Workspace
from ise_assets.intent.models import Intent, Task
from ise_assets.settings import Settings

ATTEMPTS = 3
_SHOWN = 500
_POLL_EVERY_S = 0.1
_POLL_LONGER_S = 5.0
_MOST_WAIT_S = 60.0


async def replay_session(
    dialogue: Mapping[str, Any], intent: Intent, tasks: Mapping[str, Task], backend: Backend, settings: Settings
) -> Trace:
    """Run every recorded call again and check what came of it.

    Args:
        dialogue: a row of `simulated_dialogues`.
        tasks: scenarios by content hash.

    Raises:
        WorkspaceDied: three workspaces in a row died.
        SeedError, CheckerError: the scenario is at fault. A checker that only fails after the session's calls is the agent's
            doing: then no check holds, and the evidence says why.
    """
    for attempt in range(ATTEMPTS):
        try:
            return await _replay_once(dialogue, intent, tasks, backend, settings)
        except WorkspaceDied:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


async def _replay_once(
    dialogue: Mapping[str, Any], intent: Intent, tasks: Mapping[str, Task], backend: Backend, settings: Settings
) -> Trace:
    live = [LiveCall(**call) for call in json.loads(dialogue["calls"])]
    rows: list[dict[str, Any]] = []
    divergence: list[dict[str, Any]] = []
    async with await Workspace.start(backend, Limits.of(settings)) as workspace:
        truths = await plant(workspace, intent, tasks)
        before = await run_checks(workspace, intent, tasks, truths, {}, None)
        await workspace.mark_baseline()
        offered = tools_of(dialogue)
        async for call, result in replay_calls(workspace, live, offered, settings):
            differences = call_differences(call, result)
            divergence += differences
            rows.append(_row(call, result, not differences))
        files: list[dict[str, Any]] = []
        try:
            files = await manifest_of(workspace)
            if dialogue["files"] is not None:
                divergence += _changed_otherwise(json.loads(dialogue["files"]), files)
            after = await run_checks(workspace, intent, tasks, truths, replies_of(dialogue), before)
        except CheckerError as error:
            after = [
                CheckResult(result.name, result.kind, held=False, evidence=str(error)[:_SHOWN]) for result in before
            ]
    spans = recovery_spans(rows)
    by_call = {span.failed_call: span.id for span in spans} | {
        s.recovered_call: s.id for s in spans if s.recovered_call is not None
    }
    for row in rows:
        row["recovery_id"] = by_call.get(row["index"])
    accepted = is_accepted(intent, before, after)
    return Trace(
        dialogue_id=str(dialogue["id"]),
        reproduced=not divergence,
        accepted=accepted,
        declined=bool(accepted) and any(tasks[instance.scenario_hash].impossible for instance in intent.seed),
        checks=_evidence(intent, before, after, guards=False),
        guards=_evidence(intent, before, after, guards=True),
        divergence=divergence,
        calls=rows,
        recovery_spans=[span.row() for span in spans],
        changed_files=files,
        backend=backend.name,
    )


async def replay_calls(
    workspace: Workspace, calls: Sequence[LiveCall], offered: Sequence[str], settings: Settings
) -> AsyncIterator[tuple[LiveCall, ToolResult]]:
    """Each recorded call with what it gives now, in order, with think time kept where it can matter.

    `offered` names the tools that the session had.

    Raises:
        WorkspaceDied: the workspace is gone.
    """
    pace = _Pace()
    for call in calls:
        yield call, await _again(workspace, call, offered, settings, pace)


def replies_of(dialogue: Mapping[str, Any]) -> dict[str, str]:
    """All the agent said in each subgoal's turns, by subgoal key, from a dialogue's row."""
    return spoken(json.loads(dialogue["messages"]), json.loads(dialogue["subgoal_turns"] or "{}"))


@dataclass
class _Pace:
    """How far the live session was ahead in time, counted from its first background work; before it, nothing waits."""

    live_s: float | None = None
    here_s: float = 0.0

    def background_began(self, call: LiveCall) -> None:
        if self.live_s is None:
            self.live_s, self.here_s = call.offset_s, time.monotonic()

    def seconds_early(self, call: LiveCall) -> float:
        """Seconds until `call` is as late after the first background work as it was live; bounded, never negative."""
        if self.live_s is None:
            return 0.0
        return max(0.0, min(call.offset_s - self.live_s, _MOST_WAIT_S) - (time.monotonic() - self.here_s))


async def _again(
    workspace: Workspace, call: LiveCall, offered: Sequence[str], settings: Settings, pace: _Pace
) -> ToolResult:
    """The call once more, when its time has come; a look is repeated until it shows the recorded state or its time is over.

    What came from outside is not asked for again: the record is the answer.
    """
    if call.outcome in ("ok", "tool_error", "timeout") and reaches_outside(call.name, call.arguments):
        return _recorded(call)

    async def once() -> ToolResult:
        return await call_tool(
            workspace, call.name, call.arguments, call_index=call.index, settings=settings, offered=offered
        )

    if call.name == "process" and _only_looks(call.arguments):
        deadline = time.monotonic() + pace.seconds_early(call) + _POLL_LONGER_S
        result = await once()
        while call_differences(call, result) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_EVERY_S)
            result = await once()
        return result
    await asyncio.sleep(pace.seconds_early(call))
    result = await once()
    if call.name == "exec" and starts_in_background(call.arguments):
        pace.background_began(call)
    return result


def _recorded(call: LiveCall) -> ToolResult:
    return ToolResult(
        call.outcome, call.content, call.exit_code, call.stdout, call.stderr, call.truncated, call.duration_ms
    )


def _only_looks(arguments: str) -> bool:
    try:
        body = json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and body.get("action") in ("list", "poll", "log")


def call_differences(call: LiveCall, result: ToolResult) -> list[dict[str, Any]]:
    """In what a replayed call differs from the live one, after normalisation; empty where it gave the same."""
    pairs: list[tuple[str, Any, Any]] = [
        ("outcome", call.outcome, result.outcome),
        ("exit_code", call.exit_code, result.exit_code),
        ("content", normalise(call.content)[0], normalise(result.content)[0]),
    ]
    return [
        {"call": call.index, "what": what, **_both_sides(str(live), str(replayed))}
        for what, live, replayed in pairs
        if live != replayed
    ]


def _changed_otherwise(live: list[dict[str, Any]], replayed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Files that the replay left otherwise than the live session; `call` is None: it is about the end."""
    return [
        {"call": None, "what": f"file {path}", "live": one, "replay": other}
        for path, one, other in manifest_differences(live, replayed)
    ]


def _both_sides(live: str, replayed: str) -> dict[str, str]:
    """Both texts cut to what is shown, from a little before the place where they part."""
    parts = next(
        (n for n, (a, b) in enumerate(zip(live, replayed, strict=False)) if a != b), min(len(live), len(replayed))
    )
    start = max(0, parts - _SHOWN // 5)
    return {"live": live[start : start + _SHOWN], "replay": replayed[start : start + _SHOWN]}


def _row(call: LiveCall, result: ToolResult, reproduced: bool) -> dict[str, Any]:
    return {
        **vars(call),
        "failure_class": failure_class(
            call.name, call.arguments, call.outcome, call.exit_code, call.stdout, call.stderr
        ),
        "replay_outcome": result.outcome,
        "replay_exit_code": result.exit_code,
        "reproduced": reproduced,
    }


def _evidence(
    intent: Intent, before: Sequence[CheckResult], after: Sequence[CheckResult], guards: bool
) -> list[dict[str, Any]]:
    entries = {entry["key"]: entry for entry in intent.acceptance}
    return [
        {
            "name": then.name,
            "task": entries[then.name]["task"],
            "kind": now.kind,
            "held_before": then.held,
            "held_after": now.held,
            "evidence": now.evidence,
        }
        for then, now in zip(before, after, strict=True)
        if entries[then.name]["guard"] is guards
    ]
