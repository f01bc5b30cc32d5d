"""What crosses the borders of the simulate stage: a user's turn (model output, untrusted) and a finished session."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ise_assets.execute.models import CheckResult, LiveCall
from ise_assets.intent.models import content_hash
from ise_assets.llm import ModelFailure
from ise_assets.simulate.context import Elision

VERIFICATION = "verification"
"""The subgoal key of the turn in which the user asks the agent to check the result."""

SessionStatus = Literal["completed", "gave_up", "turn_limit", "error"]

UserText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8_000)]


class UserTurn(BaseModel):
    """What the simulated user says next, and how it sees things. Models fill it in; nothing in it is trusted.

    `subgoal` is the key that the message is about, or `verification`; `satisfied` says whether the last answer did what
    the last message asked; with `done` the session is over and the message is not sent.
    """

    model_config = ConfigDict(extra="ignore")

    message: UserText = Field(description="What you type next, exactly as you would type it.")
    subgoal: Annotated[str, StringConstraints(max_length=80)] = Field(
        description="Key of the thing this message is about, or `verification`."
    )
    done: bool = Field(default=False, description="True when the session is over and nothing more is to be said.")
    satisfied: bool = Field(default=True, description="Whether the last answer did what you had asked for.")
    reason: Annotated[str, StringConstraints(max_length=2_000)] = Field(
        default="", description="One sentence: why you write this, from what you saw."
    )


def dialogue_id(intent_id: str, rollout_index: int) -> str:
    """The identity of a session: the same intent and rollout is the same session, whatever it came to."""
    return content_hash("dialogue", intent_id, rollout_index)


@dataclass
class Dialogue:
    """One live session, whole or broken off: a row of `simulated_dialogues`.

    `messages` is what the agent model was sent and returned, the system prompt first. `drift_turns` counts the user
    turns that slipped out of the role at least once before they were let through, `leaked_turns` those that gave away what only the
    solution knows, `responsive_turns` those that take up something that happened; `register_distance` is how far the user's turns are, on
    average, from the manner of its first one (0 to 1, None where there is only that one); `regenerated_turns` the rewordings
    asked for, of whatever reason. `elisions` are the tool results that the agent's later requests left out: together with `messages` they
    give back every request exactly (`context.as_sent`). `files` is the final manifest, None where it was not taken. `agent_command` is the program that was the agent in the
    place of ours, None where ours was. `failure` is what ended a session whose model failed; it is not written.
    """

    id: str
    intent_id: str
    rollout_index: int
    user_model: str
    agent_model: str
    tools: list[dict[str, Any]]
    backend: str = ""
    status: SessionStatus = "error"
    stop_reason: str = ""
    accepted_live: bool | None = False
    attempts: int = 1
    drift_turns: int = 0
    leaked_turns: int = 0
    responsive_turns: int = 0
    register_distance: float | None = None
    regenerated_turns: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: list[LiveCall] = field(default_factory=list)
    elisions: list[Elision] = field(default_factory=list)
    subgoal_turns: dict[str, list[int]] = field(default_factory=dict)
    live_checks: list[CheckResult] = field(default_factory=list)
    files: list[dict[str, Any]] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    duration_s: float = 0.0
    failure: ModelFailure | None = None
    agent_command: str | None = None

    @property
    def user_turns(self) -> int:
        """Messages of the user."""
        return sum(message["role"] == "user" for message in self.messages)

    @property
    def dialogue_turns(self) -> int:
        """All messages but the system's."""
        return sum(message["role"] != "system" for message in self.messages)

    def row(self, *, domain: str, run_id: str, spec_hash: str, written_at: datetime) -> dict[str, Any]:
        """The row of `simulated_dialogues`, bodies as JSON text."""
        return {
            "id": self.id,
            "domain": domain,
            "intent_id": self.intent_id,
            "rollout_index": self.rollout_index,
            "status": self.status,
            "stop_reason": self.stop_reason,
            "accepted_live": self.accepted_live,
            "attempts": self.attempts,
            "user_turns": self.user_turns,
            "dialogue_turns": self.dialogue_turns,
            "tool_call_count": len(self.calls),
            "distinct_tools": len({call.name for call in self.calls}),
            "drift_turns": self.drift_turns,
            "leaked_turns": self.leaked_turns,
            "responsive_turns": self.responsive_turns,
            "register_distance": self.register_distance,
            "regenerated_turns": self.regenerated_turns,
            "messages": _json(self.messages),
            "tools": _json(self.tools),
            "calls": _json([asdict(call) for call in self.calls]),
            "elisions": _json([asdict(elision) for elision in self.elisions]),
            "subgoal_turns": _json(self.subgoal_turns),
            "live_checks": _json([asdict(check) for check in self.live_checks]),
            "files": None if self.files is None else _json(self.files),
            "user_model": self.user_model,
            "agent_model": self.agent_model,
            "agent_command": self.agent_command,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost_usd": self.cost_usd,
            "duration_s": self.duration_s,
            "backend": self.backend,
            "run_id": run_id,
            "spec_hash": spec_hash,
            "written_at": written_at,
        }


def transcript_markdown(messages: list[dict[str, Any]], limit: int = 6_000) -> str:
    """A session for people to read, cut to `limit` characters: who said what, which call gave what."""
    parts: list[str] = []
    for message in messages:
        content = str(message.get("content") or "").strip()
        if message["role"] == "user":
            parts.append(f"**user:** {content}")
        elif message["role"] == "assistant":
            if content:
                parts.append(f"**agent:** {content}")
            requests = [call["function"] for call in message.get("tool_calls") or ()]
            parts += [_block(f"{request['name']} {request['arguments']}", 600) for request in requests]
        elif message["role"] == "tool":
            parts.append(_block(content, 400))
    text = "\n\n".join(parts)
    return text if len(text) <= limit else text[: limit - 20].rstrip() + "\n\n... (cut)"


def _block(text: str, limit: int) -> str:
    cut = text if len(text) <= limit else text[:limit] + " ..."
    return "\n".join("    " + line for line in cut.splitlines())  # indented: no fence that a result could close


def _json(value: Any) -> str:
    # half a character, as some programs and models send, cannot be stored: it becomes a question mark
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
