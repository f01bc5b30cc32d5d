"""`ise shell`: a fresh workspace brought to a point of a recorded session, and a prompt in it.

Every line runs in a bash of its own inside the workspace; the directory is kept from line to line, variables are not. Nothing of
it is recorded, and the workspace is gone when the prompt ends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ise_assets.execute.models import LiveCall, ToolResult
from ise_assets.execute.replay import replay_calls
from ise_assets.execute.seed import plant
from ise_assets.execute.tools import tools_of
from ise_assets.execute.workspace import Backend, FileRefused, Limits, Workspace
from ise_assets.intent.catalog import tasks_by_hash
from ise_assets.intent.models import Intent, Task
from ise_assets.intent.pool import load_intents
from ise_assets.intent.template import HOME
from ise_assets.settings import Settings
from ise_assets.warehouse import Warehouse, sql

_LINE_TIMEOUT_S = 600.0
_HERE = "\x1eise-here:"

Told = Callable[[LiveCall, ToolResult], None]


def load_session(warehouse: Warehouse, dialogue_id: str) -> tuple[Mapping[str, Any], Intent, Mapping[str, Task]]:
    """A recorded dialogue by its id or the beginning of one, its intent, and the scenarios by content hash.

    Raises:
        LookupError: no dialogue, or several, begin with that id.
    """
    found = warehouse.rows(sql("simulate/find_dialogue"), [dialogue_id])
    if len(found) != 1:
        raise LookupError(f"{len(found)} dialogues begin with {dialogue_id!r}; one is needed")
    (dialogue,) = warehouse.rows(sql("execute/select_dialogues"), [[found[0]["id"]]])
    (intent,) = load_intents(warehouse, [dialogue["intent_id"]])
    return dialogue, intent, tasks_by_hash(warehouse, intent.scenario_hashes.values())


async def open_at(
    workspace: Workspace,
    dialogue: Mapping[str, Any],
    intent: Intent,
    tasks: Mapping[str, Task],
    settings: Settings,
    after: int | None,
    told: Told,
) -> int:
    """Seed the workspace and run the recorded calls up to number `after` (from 0), all of them when None; returns how many.

    Raises:
        IndexError: the session has no such call; the message says how many there are.
        SeedError: the scenario is at fault.
        WorkspaceDied: the workspace is gone.
    """
    calls = [LiveCall(**call) for call in json.loads(dialogue["calls"])]
    if after is not None and not -1 <= after < len(calls):
        raise IndexError(f"the session has calls 0 to {len(calls) - 1}, no {after}; -1 is the fresh seed")
    chosen = calls if after is None else calls[: after + 1]
    await plant(workspace, intent, tasks)
    offered = tools_of(dialogue)
    async for call, result in replay_calls(workspace, chosen, offered, settings):
        told(call, result)
    return len(chosen)


async def converse(workspace: Workspace, ask: Callable[[str], str], say: Callable[[str], None]) -> None:
    """Read lines until the input ends or says `exit`, run each, say what came.

    Args:
        ask: gives the next line for a prompt; raises EOFError at the end.
    """
    here = HOME
    while True:
        try:
            line = ask(f"workspace:{here.replace(HOME, '~', 1)}$ ")
        except EOFError:
            return
        if line.strip() in ("exit", "logout"):
            return
        if line.strip():
            here = await _run_line(workspace, line, here, say)


async def _run_line(workspace: Workspace, line: str, here: str, say: Callable[[str], None]) -> str:
    command = f'trap \'printf "{_HERE}%s" "$PWD"\' EXIT\n{line}\n'
    try:
        result = await workspace.exec(command, workdir=here, timeout_s=_LINE_TIMEOUT_S)
    except FileRefused as refusal:
        say(f"[{refusal}; back home]")
        return HOME
    shown, _, there = result.stdout.rpartition(_HERE)
    say("\n".join(text.rstrip("\n") for text in (shown if there else result.stdout, result.stderr) if text.strip()))
    if result.exit_code != 0:
        say("[timed out]" if result.timed_out else f"[exit code {result.exit_code}]")
    return there or here


async def run_shell(
    backend: Backend,
    settings: Settings,
    session: tuple[Mapping[str, Any], Intent, Mapping[str, Task]],
    after: int | None,
    ask: Callable[[str], str],
    say: Callable[[str], None],
) -> None:
    """The whole of `ise shell`; errors are those of `open_at`."""

    def told(call: LiveCall, result: ToolResult) -> None:
        same = "as recorded" if result.outcome == call.outcome else f"{call.outcome} when recorded"
        say(f"  {call.index} {call.name}: {result.outcome}, {same}")

    async with await Workspace.start(backend, Limits.of(settings)) as workspace:
        count = await open_at(workspace, *session, settings, after, told)
        say(f"after {count} calls, on {backend.name}; exit or Ctrl-D ends it")
        await converse(workspace, ask, say)
