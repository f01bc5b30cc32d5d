"""What the agent's model is sent: its messages, with the largest tool results left out once they no longer fit.

Messages are stored once and whole. A result that is left out is an `Elision`, an event between two messages, and stays left out from
then on, so that a request only ever grows at the end until the next one. `as_sent` gives back every request exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

KEEP_CHARS = 400
"""Results up to this length are never left out: the note in their place would be as long."""


@dataclass(frozen=True)
class Elision:
    """From the request for message `before` on, the tool result that is message `message` is left out."""

    before: int
    message: int


def as_sent(messages: Sequence[dict[str, Any]], elisions: Iterable[Elision], before: int) -> list[dict[str, Any]]:
    """The messages of the last request for message `before`: all that came earlier, what had been left out by then left out."""
    gone = {elision.message for elision in elisions if elision.before <= before}
    return [_note(message) if index in gone else message for index, message in enumerate(messages[:before])]


def characters(messages: Iterable[dict[str, Any]]) -> int:
    """Characters of contents, thoughts and tool calls: what a context fills up with."""
    return sum(map(_length, messages))


def elide(messages: Sequence[dict[str, Any]], elisions: Sequence[Elision], most: int) -> list[Elision]:
    """What to leave out of the next request so that it has at most `most` characters, the largest tool results first.

    Gives back what there is to leave out, also where that is not enough; empty where it fits already, or where nothing is left.
    """
    before = len(messages)
    size = characters(as_sent(messages, elisions, before))
    gone = {elision.message for elision in elisions}
    results = [i for i, m in enumerate(messages) if m["role"] == "tool" and i not in gone and _length(m) > KEEP_CHARS]
    found: list[Elision] = []
    for index in sorted(results, key=lambda i: (-_length(messages[i]), i)):
        if size <= most:
            break
        size -= _length(messages[index]) - _length(_note(messages[index]))
        found.append(Elision(before, index))
    return found


def _note(message: dict[str, Any]) -> dict[str, Any]:
    text = f"[{len(str(message['content'])):,} characters of this result are left out here; call the tool again to see them]"
    return {**message, "content": text}


def _length(message: dict[str, Any]) -> int:
    calls = message.get("tool_calls") or ()
    said = len(str(message.get("content") or "")) + len(str(message.get("reasoning_content") or ""))
    return said + sum(len(call["function"]["name"]) + len(call["function"]["arguments"]) for call in calls)
