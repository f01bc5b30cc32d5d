"""The agent: a model with tools, in a workspace, until it has an answer for the user.

One call of `answer_user` is one user turn: model, tool calls in order, model, ... until a message without tool calls.
Whatever the model sends is kept verbatim in `messages`; what is malformed is answered with an error, never repaired and
run.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from ise_assets.execute.models import LiveCall, ToolResult
from ise_assets.llm import Completion, Ledger, ModelError, Script, complete
from ise_assets.settings import Settings
from ise_assets.simulate.context import Elision, as_sent, characters, elide

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

Stop = Literal[
    "answered", "max_tool_calls", "max_session_minutes", "max_session_tokens", "max_session_cost", "context_full"
]
_CHARS_PER_TOKEN = 4
_SMALLER = 0.75
"""After a provider has called a request too long, the next one has at most this share of its characters."""


class EmptyAnswer(RuntimeError):
    """The agent model answered with neither text nor tool calls, time after time."""


@dataclass
class Agent:
    """One session's agent. `messages` is the conversation, whole; `calls` what its tools did; `elisions` what of the messages its
    model was no longer sent (see `context`).

    Args:
        started: `time.monotonic()` of the session's start; the calls' offsets count from it, and so do its minutes.
        told: is shown each event (`agent_text`, `tool_call`, `tool_result`) as it happens.
    """

    settings: Settings
    ledger: Ledger
    item_id: str
    tools: list[dict[str, Any]]
    call_tool: CallTool
    started: float
    told: Callable[[str, dict[str, Any]], None]
    script: Script | None = None
    messages: list[dict[str, Any]] = field(default_factory=lambda: [{"role": "system", "content": AGENT_SYSTEM_PROMPT}])
    calls: list[LiveCall] = field(default_factory=list)
    elisions: list[Elision] = field(default_factory=list)

    @property
    def deadline(self) -> float:
        """`time.monotonic()` after which nothing new is begun."""
        return self.started + self.settings.max_session_minutes * 60

    async def answer_user(self, user_turn: int, message: str) -> Stop:
        """Take one message of the user and work until it is answered, or until a limit ends the session.

        Raises:
            EmptyAnswer: nothing but empty answers, as often as a turn may be asked for again.
            ModelError, ModelUnavailable: the model cannot be reached or refuses.
            WorkspaceDied: the workspace is gone; the session must start again.
        """
        self.messages.append({"role": "user", "content": message})
        while True:
            if (spent := self._spent()) is not None:
                return spent
            completion = await self._next_message()
            if completion is None:
                return "context_full"
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

    def _spent(self) -> Stop | None:
        """Which limit of the session is reached, if any."""
        if time.monotonic() >= self.deadline:
            return "max_session_minutes"
        most_tokens, most_usd = self.settings.max_session_tokens, self.settings.max_session_cost_usd
        if most_tokens and self.ledger.prompt_tokens + self.ledger.completion_tokens >= most_tokens:
            return "max_session_tokens"
        if most_usd and self.ledger.cost_usd >= most_usd:
            return "max_session_cost"
        return None

    async def _next_message(self) -> Completion | None:
        """The model's next message; None where the conversation does not fit its context whatever is left out."""
        most = self.settings.max_context_tokens * _CHARS_PER_TOKEN
        empty, tries = 0, 1 + self.settings.max_regenerations
        while empty < tries:
            if most:
                self.elisions += elide(self.messages, self.elisions, most)
            sent = as_sent(self.messages, self.elisions, len(self.messages))
            left = self.deadline - time.monotonic()
            try:
                completion = await complete(
                    role="agent",
                    model=self.settings.agent_model,
                    messages=sent,
                    item_id=self.item_id,
                    ledger=self.ledger,
                    tools=self.tools,
                    timeout_s=max(1.0, min(self.settings.model_timeout_s, left)),
                    retries=self.settings.model_retries,
                    script=self.script,
                )
            except ModelError as error:
                if error.kind != "context":
                    raise
                most = int(characters(sent) * _SMALLER)
                if not elide(self.messages, self.elisions, most):
                    return None
                continue
            if completion.text.strip() or completion.message.get("tool_calls"):
                _name_calls(completion.message, {c["id"] for m in self.messages for c in m.get("tool_calls") or ()})
                return completion
            empty += 1
        raise EmptyAnswer(f"the agent model {self.settings.agent_model!r} gave an empty answer {tries} times")

    async def _run_calls(self, user_turn: int, tool_calls: list[dict[str, Any]]) -> Stop | None:
        stop: Stop | None = None
        for call in tool_calls:
            name, arguments = str(call["function"]["name"]), call["function"]["arguments"]
            stop = stop or self._no_more_calls()
            if stop is not None:  # every call needs its answer, or the transcript is not one that a model may be shown
                self._append_result(call["id"], name, f"Error: not run, the session's limit is reached ({stop})")
                continue
            result = await self._run_call(user_turn, call["id"], name, arguments)
            self._append_result(call["id"], name, result.content)
        return stop

    def _no_more_calls(self) -> Stop | None:
        if len(self.calls) >= self.settings.max_tool_calls:
            return "max_tool_calls"
        return "max_session_minutes" if time.monotonic() >= self.deadline else None

    async def _run_call(self, user_turn: int, tool_call_id: str, name: str, arguments: str) -> ToolResult:
        """Run one call and keep what came of it."""
        self.told("tool_call", {"name": name, "arguments": arguments})
        offset_s = time.monotonic() - self.started
        result = await self.call_tool(name, arguments, len(self.calls))
        self.calls.append(
            LiveCall(
                index=len(self.calls),
                user_turn=user_turn,
                tool_call_id=tool_call_id,
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
        self.told("tool_result", {"name": name, "result": result})
        return result

    def _append_result(self, tool_call_id: str, name: str, content: str) -> None:
        self.messages.append({"role": "tool", "tool_call_id": tool_call_id, "name": name, "content": content})


def _name_calls(message: dict[str, Any], taken: set[str]) -> None:
    """Give new ids to calls that came without one, or with one used before: results are matched by id."""
    for call in message.get("tool_calls") or ():
        if not call["id"] or call["id"] in taken:
            call["id"] = next(name for name in map("call_{}".format, count(len(taken))) if name not in taken)
        taken.add(call["id"])
        call["function"]["name"] = call["function"]["name"] or ""
        if not isinstance(call["function"]["arguments"], str):
            call["function"]["arguments"] = ""
