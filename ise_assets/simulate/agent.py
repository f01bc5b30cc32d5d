"""The agent: a model with tools, in a workspace, until it has an answer for the user.

One call of `answer_user` is one user turn: model, tool calls in order, model, ... until a message without tool calls.
Whatever the model sends is kept verbatim in `messages`; what is malformed is answered with an error, never repaired and
run.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from ise_assets.execute.models import LiveCall, ToolResult
from ise_assets.llm import Completion, Ledger, Script, complete
from ise_assets.settings import Settings

AGENT_SYSTEM_PROMPT = """\
You are an assistant that works on a person's Linux computer, in a shell and a file system. You are the user `user`; \
your home is /home/user. There is no network but this machine itself, and nobody types anything while a command runs.

Use the tools to do what is asked, and to find out what you need to know:
- Look before you change. Read files and outputs instead of guessing paths, names or values.
- Change only what the task needs. Keep other people's files, and anything you were told to leave alone, as they are.
- Read every result. When a command fails, find out why and try another way; never call something done that has failed.
- Check your own work before you report: run the test, read the file back, query the data.
- When something that only the user can know is missing, ask one short question and stop.
- When a request is impossible or would do damage, say so and why, and leave things as they are.

Answer briefly and plainly, with the facts asked for: what you did, what you found, and what is still open."""

CallTool = Callable[[str, str, int], Awaitable[ToolResult]]
"""Runs one tool: its name, its arguments (JSON text as the model wrote it), and the how-manieth call it is, from 0."""

Stop = Literal["answered", "max_tool_calls", "max_session_minutes"]


class EmptyAnswer(RuntimeError):
    """The agent model answered with neither text nor tool calls, twice in a row."""


@dataclass
class Agent:
    """One session's agent. `messages` is the conversation as its model sees it; `calls` what its tools did.

    Args:
        deadline: `time.monotonic()` after which nothing new is begun.
        started: `time.monotonic()` of the session's start; the calls' offsets count from it.
        told: is shown each event (`agent_text`, `tool_call`, `tool_result`) as it happens.
    """

    settings: Settings
    ledger: Ledger
    item_id: str
    tools: list[dict[str, Any]]
    call_tool: CallTool
    deadline: float
    started: float
    told: Callable[[str, dict[str, Any]], None]
    script: Script | None = None
    messages: list[dict[str, Any]] = field(default_factory=lambda: [{"role": "system", "content": AGENT_SYSTEM_PROMPT}])
    calls: list[LiveCall] = field(default_factory=list)

    async def answer_user(self, user_turn: int, message: str) -> Stop:
        """Take one message of the user and work until it is answered, or until a limit ends the session.

        Raises:
            EmptyAnswer: two empty answers in a row.
            ModelError, ModelUnavailable: the model cannot be reached or refuses.
            WorkspaceDied: the workspace is gone; the session must start again.
        """
        self.messages.append({"role": "user", "content": message})
        while True:
            if time.monotonic() >= self.deadline:
                return "max_session_minutes"
            completion = await self._next_message()
            reply = completion.message
            self.messages.append(reply)
            if completion.text:
                self.told("agent_text", {"text": completion.text})
            tool_calls = reply.get("tool_calls")
            if not tool_calls:
                return "answered"
            stop = await self._run_calls(user_turn, tool_calls)
            if stop is not None:
                return stop

    async def _next_message(self) -> Completion:
        for _ in range(2):
            left = self.deadline - time.monotonic()
            completion = await complete(
                role="agent",
                model=self.settings.agent_model,
                messages=self.messages,
                item_id=self.item_id,
                ledger=self.ledger,
                tools=self.tools,
                timeout_s=max(1.0, min(self.settings.model_timeout_s, left)),
                retries=self.settings.model_retries,
                script=self.script,
            )
            if completion.text.strip() or completion.message.get("tool_calls"):
                _name_calls(completion.message, {call.tool_call_id for call in self.calls})
                return completion
        raise EmptyAnswer(f"the agent model {self.settings.agent_model!r} gave an empty answer twice")

    async def _run_calls(self, user_turn: int, tool_calls: list[dict[str, Any]]) -> Stop | None:
        stop: Stop | None = None
        for call in tool_calls:
            name, arguments = str(call["function"]["name"]), call["function"]["arguments"]
            if len(self.calls) >= self.settings.max_tool_calls:
                stop = "max_tool_calls"
            elif time.monotonic() >= self.deadline:
                stop = "max_session_minutes"
            if stop is not None:  # every call needs its answer, or the transcript is not one that a model may be shown
                self._append_result(call["id"], name, f"Error: not run, the session's limit is reached ({stop})")
                continue
            self.told("tool_call", {"name": name, "arguments": arguments})
            offset_s = time.monotonic() - self.started
            result = await self.call_tool(name, arguments, len(self.calls))
            self.calls.append(
                LiveCall(
                    index=len(self.calls),
                    user_turn=user_turn,
                    tool_call_id=call["id"],
                    name=name,
                    arguments=arguments,
                    outcome=result.outcome,
                    content=result.content,
                    exit_code=result.exit_code,
                    stdout=result.stdout,
                    stderr=result.stderr,
                    truncated=result.truncated,
                    offset_s=offset_s,
                    duration_ms=result.duration_ms,
                )
            )
            self._append_result(call["id"], name, result.content)
            self.told("tool_result", {"name": name, "result": result})
        return stop

    def _append_result(self, tool_call_id: str, name: str, content: str) -> None:
        self.messages.append({"role": "tool", "tool_call_id": tool_call_id, "name": name, "content": content})


def _name_calls(message: dict[str, Any], taken: set[str]) -> None:
    """Give new ids to calls that came without one, or with one used before: results are matched by id."""
    for call in message.get("tool_calls") or ():
        if not call["id"] or call["id"] in taken:
            call["id"] = f"call_{len(taken)}"
        taken.add(call["id"])
        call["function"]["name"] = call["function"]["name"] or ""
        if not isinstance(call["function"]["arguments"], str):
            call["function"]["arguments"] = ""
