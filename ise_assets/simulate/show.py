"""Sessions for the terminal: one from the warehouse, or one as it happens. What agents and commands wrote is shown as text."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from ise_assets.execute.models import CheckResult, Outcome, ToolResult
from ise_assets.execute.workspace import Limits, open_backend
from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import Persona
from ise_assets.intent.personas import SHIPPED_LISTS, list_files, read_persona_list
from ise_assets.intent.pool import build_intent, plan_intent
from ise_assets.intent.sampler import sample_frame
from ise_assets.intent.writer import compose
from ise_assets.llm import Ledger
from ise_assets.settings import SCRIPTED_MODEL, Settings
from ise_assets.simulate.scripted.provider import register
from ise_assets.simulate.scripted.teacher import has_slip
from ise_assets.simulate.session import run_session
from ise_assets.warehouse import Warehouse, sql

_FOUND_AT_MOST = 20  # the query's LIMIT
_LINES = 12
_WIDTH = 160


class SessionPrinter:
    """Prints a session's events; `run_session` calls it, and so does the reader of recorded ones."""

    def __init__(self, console: Console, wants: dict[str, str] | None = None) -> None:
        self._console = console
        self._wants = wants or {}

    def __call__(self, kind: str, details: dict[str, Any]) -> None:
        """One event, by the kinds of `simulate.session.OnEvent`."""
        getattr(self, f"_{kind}")(**details)

    def _user_text(self, turn: int, text: str, subgoal: str) -> None:
        self._console.print(Panel(Text(text), title=f"user, turn {turn}", title_align="left", border_style="cyan"))

    def _agent_text(self, text: str) -> None:
        if text:
            self._console.print(Panel(Text(text), title="agent", title_align="left", border_style="blue"))

    def _tool_call(self, name: str, arguments: str) -> None:
        self._console.print(Text(f"  {name} ", style="bold") + Text(_short(_readable(arguments))))

    def _tool_result(self, name: str, result: ToolResult) -> None:
        failed = result.outcome != "ok"
        label = f"    {result.outcome}" + (f", exit {result.exit_code}" if result.exit_code else "")
        if failed:
            self._console.print(Text(label, style="bold red"))
        self._console.print(Text(_indented(_short(result.content)), style="red" if failed else "dim"))

    def _check(self, name: str, before: bool, result: CheckResult) -> None:
        mark, style = ("holds", "bold green") if result.held else ("FAILS", "bold red")
        was = "held before" if before else "did not hold before"
        self._console.print(Text(f"  {mark} ", style=style) + Text(f"{name} ({result.kind}; {was}) ", style="dim"))


def print_session(console: Console, warehouse: Warehouse, dialogue_id: str) -> None:
    """One recorded session, with its replay's findings.

    Raises:
        LookupError: no dialogue, or several, begin with that id; or nothing was run yet.
    """
    if not warehouse.exists():
        raise LookupError(f"{warehouse.name} is not there; run `ise demo` or `ise run` first")
    found = warehouse.rows(sql("simulate/find_dialogue"), [dialogue_id])
    if len(found) != 1:
        close = ", ".join(row["id"] for row in found[:5]) + (" ..." if len(found) > 5 else "")
        count = f"{len(found)}{' or more' if len(found) >= _FOUND_AT_MOST else ''}"
        raise LookupError(
            f"{count} dialogues begin with {dialogue_id!r}: {close}"
            if found
            else f'no dialogue {dialogue_id!r}; list some with: ise sql "SELECT id, domain FROM simulated_dialogues LIMIT 10"'
        )
    row = found[0]
    console.print(Rule(f"{row['id']}  {row['domain']}  {row['status']}"))
    console.print(Text(f"{row['persona_name']}, {row['persona_role']}: {row['communication_style']}", style="dim"))
    printer = SessionPrinter(console)
    calls = {call["tool_call_id"]: call for call in json.loads(row["calls"])}
    turn = 0
    for message in json.loads(row["messages"]):
        if message["role"] == "user":
            turn += 1
            printer("user_text", {"turn": turn, "text": message["content"], "subgoal": ""})
        elif message["role"] == "assistant":
            printer("agent_text", {"text": message.get("content") or ""})
            for call in message.get("tool_calls") or ():
                printer("tool_call", {"name": call["function"]["name"], "arguments": call["function"]["arguments"]})
        elif message["role"] == "tool":
            call = calls.get(message["tool_call_id"])
            outcome: Outcome = call["outcome"] if call else "tool_error"
            result = ToolResult(outcome, str(message["content"]), call["exit_code"] if call else None)
            printer("tool_result", {"name": message.get("name", ""), "result": result})
    _verdict(console, row)


def _verdict(console: Console, row: dict[str, Any]) -> None:
    if row["accepted"] is None:
        console.print("[yellow]not replayed yet[/] (materialize executed_traces)")
        return
    for kind in ("checks", "guards"):
        for check in json.loads(row[kind] or "[]"):
            good = check["held_after"] and (check["held_before"] is (kind == "guards"))
            style = "green" if good else "red"
            console.print(
                f"  [{style}]{'holds' if check['held_after'] else 'FAILS'}[/] {kind[:-1]} {escape(str(check['name']))}"
            )
    for span in json.loads(row["recovery_spans"] or "[]"):
        console.print(Text(f"  recovery: {json.dumps(span)}", style="yellow"))
    verdict = f"accepted: {row['accepted']}, reproduced: {row['reproduced']}, failures: {row['failures']}, recoveries: {row['recoveries']}"
    console.print(Text(verdict, style="bold green" if row["accepted"] and row["reproduced"] else "bold red"))


def play_one(console: Console, settings: Settings) -> None:
    """Run one session live, with a real failure in it, before anything is written: a first look."""
    scripted = settings.model_copy(update={"user_model": SCRIPTED_MODEL, "agent_model": SCRIPTED_MODEL})
    register()
    catalog = load_catalog()
    tasks = {task.content_hash: task for task in catalog.values()}
    for persona in (p for path in list_files(SHIPPED_LISTS) for p in read_persona_list(path).personas):
        frame = sample_frame(settings.seed, persona.id, 0)
        if frame.tier != "simple" or frame.task_count > 2:
            continue
        plan = plan_intent(frame, persona, catalog)
        intent = build_intent(plan, compose(plan.brief, frame.intent_id), SCRIPTED_MODEL)
        if has_slip(intent, tasks, persona, 0):
            break
    else:
        raise LookupError("no simple session with a slip in the shipped lists")
    console.print(Text(_who(persona), style="dim"))
    dialogue = asyncio.run(
        run_session(
            intent,
            persona,
            tasks,
            open_backend(settings.workspace_backend),
            Limits.of(settings),
            scripted,
            Ledger(),
            0,
            on_event=SessionPrinter(console),
        )
    )
    console.print(
        Text(f"{dialogue.status}: {dialogue.stop_reason}; accepted: {dialogue.accepted_live}\n", style="bold")
    )


def _who(persona: Persona) -> str:
    return f"{persona.name}, {persona.role} ({persona.industry}); writes: {persona.communication_style}"


def _readable(arguments: str) -> str:
    try:
        body = json.loads(arguments)
    except ValueError:
        return arguments
    if not isinstance(body, dict):
        return arguments
    return body["command"] if set(body) == {"command"} else "  ".join(f"{key}={value}" for key, value in body.items())


def _short(text: str) -> str:
    lines = text.strip().splitlines()
    cut = [line[:_WIDTH] for line in lines[:_LINES]]
    return "\n".join(cut + ([f"... {len(lines) - _LINES} more lines"] if len(lines) > _LINES else []))


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())
