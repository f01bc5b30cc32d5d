"""What leaves the train stage: one record, validated, so that no consumer meets a shape it cannot read."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Split = Literal["train", "validation", "test", "test_scenarios"]
SPLITS: tuple[Split, ...] = get_args(Split)
HELD_OUT_SCENARIOS: Split = "test_scenarios"
"""Sessions with a scenario that is never trained on; their personas may occur in the other splits."""
PERSONA_SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""Splits by persona: nobody is in two of them."""

_ROLES = ("system", "user", "assistant", "tool")


class SFTExample(BaseModel):
    """One training record.

    `messages` (OpenAI chat, tool-call arguments a JSON string) and `tools` are the dialogue's own, unchanged but for the
    redactions that `provenance` lists;
    `train_mask[i]` is 1 where message i is trained on; `tokens` counts text with `tokenizer`, without template marks.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    dialogue_id: str
    intent_id: str
    domain: str
    split: Split
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    train_mask: list[Literal[0, 1]]
    tokens: int = Field(ge=0)
    tokenizer: str
    provenance: dict[str, Any]

    @property
    def agent_model(self) -> str:
        """The model that the assistant's messages are of."""
        return str(self.provenance["models"]["agent"])

    @model_validator(mode="after")
    def _trainable(self) -> SFTExample:
        if len(self.train_mask) != len(self.messages):
            raise ValueError(f"{len(self.messages)} messages but a mask of {len(self.train_mask)}")
        check_messages(self.messages)
        for index, (message, trained) in enumerate(zip(self.messages, self.train_mask, strict=True)):
            if trained and message["role"] != "assistant":
                raise ValueError(f"message {index} is trained on but is the {message['role']}'s")
        if 1 not in self.train_mask:
            raise ValueError("nothing in it is trained on")
        return self


def check_messages(messages: list[dict[str, Any]]) -> None:
    """Raises ValueError where messages are no whole conversation: roles, contents, tool calls and their answers."""
    for index, message in enumerate(messages):
        _check_message(index, message)
    _check_order(messages)


def _check_message(index: int, message: dict[str, Any]) -> None:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        raise ValueError(f"message {index} has role {role!r}; expected one of {', '.join(_ROLES)}")
    if content is None and not (role == "assistant" and message.get("tool_calls")):
        raise ValueError(f"message {index} ({role}) has no content")
    if content is not None and not isinstance(content, str):
        raise ValueError(f"message {index} ({role}) has content of type {type(content).__name__}, expected text")
    for call in message.get("tool_calls") or []:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not all(
            isinstance(part, str) for part in (call.get("id"), function.get("name"), function.get("arguments"))
        ):
            raise ValueError(f"message {index} has a tool call without an id, a name or arguments as a JSON string")


def _check_order(messages: list[dict[str, Any]]) -> None:
    """Every tool call is answered once, straight after its turn; the agent has the last word."""
    pending: set[str] = set()
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message.get("tool_call_id") not in pending:
                raise ValueError(f"message {index} answers {message.get('tool_call_id')!r}, which was not called")
            pending.remove(message["tool_call_id"])
            continue
        if pending:
            raise ValueError(f"message {index} comes before the answer to {', '.join(sorted(pending))}")
        called = [call["id"] for call in message.get("tool_calls") or []]
        pending = set(called)
        if len(pending) != len(called):
            raise ValueError(f"message {index} uses one tool call id twice")
    if pending or not messages or messages[-1]["role"] != "assistant":
        raise ValueError("it does not end with an answer of the agent")


class PreferencePair(BaseModel):
    """Two sessions of the same intent and agent: `chosen` was accepted, `rejected` ran to its end and was not.

    Both are whole conversations; they share the system message and the first user turn, no more is promised.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    intent_id: str
    domain: str
    split: Split
    chosen_dialogue_id: str
    rejected_dialogue_id: str
    chosen: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    provenance: dict[str, Any]
