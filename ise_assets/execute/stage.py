"""Stage E for one domain: every session that was played is replayed once, journaled, and folded into the warehouse."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ise_assets.execute.models import Trace, WorkspaceDied, WorkspaceError
from ise_assets.execute.replay import replay_session
from ise_assets.execute.workspace import open_backend
from ise_assets.intent.catalog import tasks_by_hash
from ise_assets.intent.models import Intent, Task, content_hash
from ise_assets.intent.pool import load_intents
from ise_assets.journal import Journal
from ise_assets.stage import StageRun
from ise_assets.warehouse import Replacement, Warehouse, rows_to_arrow, sql

EXECUTE_VERSION = 1
"""Raised by hand when the same session would get other evidence."""

_BATCH = 32
_FOLD_AT = 256
_LOG = logging.getLogger(__name__)
_CALL_COLUMNS = (
    "user_turn",
    "tool_call_id",
    "name",
    "arguments",
    "outcome",
    "failure_class",
    "exit_code",
    "stdout",
    "stderr",
    "truncated",
    "duration_ms",
    "replay_outcome",
    "replay_exit_code",
    "reproduced",
    "recovery_id",
)


def replay_domain(run: StageRun, domain: str) -> dict[str, Any]:
    """The executed_traces asset's work: replay what has not been replayed, with `run.refresh` also what is stale.

    A session whose workspaces keep dying gets no trace: it is counted (`died`), and tried again by the next run.

    Raises:
        BackendUnavailable: no workspaces on this machine.
        WorkspaceDied: every workspace died, so that it is not the sessions' doing.
        SeedError, CheckerError: a scenario is at fault; all other sessions were replayed, and are kept.
    """
    with Journal(run.settings.journals_dir / "executed_traces" / f"{domain}.sqlite") as journal:
        fold(run.warehouse, journal)
        todo, stale = _todo(run, domain)
        died: list[str] = []
        if todo:
            try:
                died = asyncio.run(_replay_all(run, domain, todo, journal))
            finally:
                fold(run.warehouse, journal)
    return {
        **summarize(run.warehouse, domain),
        "new_traces": len(todo) - len(died),
        "died": died,
        "stale": 0 if run.refresh else stale,
    }


def fold(warehouse: Warehouse, journal: Journal) -> int:
    """Move what the journal holds into the warehouse in one transaction; returns the number of traces."""
    bodies = dict(journal.items())
    if not bodies:
        return 0
    now = datetime.now(UTC)
    traces = [{**body["trace"], "written_at": now} for body in bodies.values()]
    calls = [{**call, "written_at": now} for body in bodies.values() for call in body["calls"]]
    of_these = Replacement.of("executed_traces", traces, ["dialogue_id"])
    # a session that calls no tool any more has no rows that could take the place of its old ones
    their_calls = Replacement("tool_calls", rows_to_arrow("tool_calls", calls), ["dialogue_id"], of_these.gone)
    warehouse.replace(of_these, their_calls)
    journal.forget(bodies)
    return len(bodies)


def summarize(warehouse: Warehouse, domain: str) -> dict[str, Any]:
    """Counts over all traces of the domain, and its failure classes."""
    (row,) = warehouse.rows(sql("execute/summarize_traces"), {"domain": domain})
    classes = {
        r["failure_class"]: r["n"] for r in warehouse.rows(sql("execute/count_failure_classes"), {"domain": domain})
    }
    divergent = [r["dialogue_id"] for r in warehouse.rows(sql("execute/select_divergent"), {"domain": domain})]
    return {**row, "failure_classes": classes, "divergent": divergent}


def _todo(run: StageRun, domain: str) -> tuple[list[tuple[str, str]], int]:
    """(dialogue id, spec hash) of what to replay, and how many finished ones are stale."""
    rows = run.warehouse.rows(sql("execute/select_replay_work"), {"domain": domain})
    todo, stale = [], 0
    for row in rows:
        spec_hash = content_hash("execute", EXECUTE_VERSION, row["id"], row["body_hash"])
        outdated = row["trace_spec_hash"] is not None and row["trace_spec_hash"] != spec_hash
        stale += outdated
        # a session that was run again is another session: its old trace says nothing about it
        if row["trace_spec_hash"] is None or (outdated and (run.refresh or row["newer"])):
            todo.append((row["id"], spec_hash))
    return todo, stale


async def _replay_all(run: StageRun, domain: str, todo: Sequence[tuple[str, str]], journal: Journal) -> list[str]:
    """Replay, as many at once as there are live sessions; returns the dialogues whose workspaces kept dying."""
    backend = open_backend(run.settings.workspace_backend)
    gate = asyncio.Semaphore(run.settings.max_concurrent_sessions)
    done = 0
    died: list[str] = []
    troubles: list[WorkspaceError] = []
    run.progress(0, len(todo), "sessions replayed")

    async def one(dialogue: Mapping[str, Any], intent: Intent, tasks: Mapping[str, Task], spec_hash: str) -> None:
        nonlocal done
        async with gate:
            try:
                trace = await replay_session(dialogue, intent, tasks, backend, run.settings)
            except WorkspaceError as error:  # one session's trouble; what it means for the run is decided at the end
                _LOG.warning("session %s was not replayed: %s", dialogue["id"], error)
                troubles.append(error)
                if isinstance(error, WorkspaceDied):
                    died.append(str(dialogue["id"]))
                return
        place = {"domain": domain, "run_id": run.run_id, "spec_hash": spec_hash}
        journal.append(trace.dialogue_id, _body(trace, intent, place))
        done += 1
        run.progress(done, len(todo), "sessions replayed")

    for start in range(0, len(todo), _BATCH):
        batch = dict(todo[start : start + _BATCH])
        dialogues = run.warehouse.rows(sql("execute/select_dialogues"), [list(batch)])
        intents = {i.id: i for i in load_intents(run.warehouse, sorted({row["intent_id"] for row in dialogues}))}
        tasks = tasks_by_hash(run.warehouse, (h for i in intents.values() for h in i.scenario_hashes.values()))
        async with asyncio.TaskGroup() as group:
            for dialogue in dialogues:
                intent = intents[dialogue["intent_id"]]
                group.create_task(one(dialogue, intent, tasks, batch[dialogue["id"]]))
        if len(journal.ids()) >= _FOLD_AT:
            fold(run.warehouse, journal)
    at_fault = [error for error in troubles if not isinstance(error, WorkspaceDied)]
    if at_fault or (troubles and not done):
        raise (at_fault or troubles)[0]
    return sorted(died)


def _body(trace: Trace, intent: Intent, place: Mapping[str, str]) -> dict[str, Any]:
    body = asdict(trace)
    calls = body.pop("calls")
    for name in ("checks", "guards", "divergence", "recovery_spans", "changed_files"):
        body[name] = json.dumps(body[name], ensure_ascii=False)
    failed = [call for call in calls if call["failure_class"] not in (None, "benign")]
    recovered = [span for span in trace.recovery_spans if span["recovered_call"] is not None]
    return {
        "trace": {
            **body,
            **place,
            "intent_id": intent.id,
            "failures": len(failed),
            "recoveries": len(recovered),
        },
        "calls": [
            {
                **{name: call[name] for name in _CALL_COLUMNS},
                **place,
                "dialogue_id": trace.dialogue_id,
                "call_index": call["index"],
                "arguments": _as_json(call["arguments"]),
            }
            for call in calls
        ],
    }


def _as_json(arguments: str) -> str:
    """The arguments as the model wrote them where that is JSON that any reader takes, else the text as a JSON string."""
    try:
        body = json.loads(arguments, parse_constant=_refuse)
        json.dumps(body, ensure_ascii=False).encode()  # lone surrogates
    except (ValueError, RecursionError):
        return json.dumps(arguments.encode("utf-8", "replace").decode())
    return arguments


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
