"""Other cuts of the same records: one turn alone, one sample a turn, a preference pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ise_assets.train.models import SFTExample

Variant = Callable[[SFTExample], Iterator[SFTExample]]


def whole(example: SFTExample) -> Iterator[SFTExample]:
    """The record as it is."""
    yield example


def single_turn(example: SFTExample) -> Iterator[SFTExample]:
    """The record cut to its first user turn: the paper's ablation. `tokens` stays that of the whole record, and says so."""
    ends = _turn_ends(example)
    if ends:
        yield from _cut(example, 0, ends[0], "first")


def per_turn(example: SFTExample) -> Iterator[SFTExample]:
    """One sample a user turn: all that came before as context, trained on that turn alone.

    For models whose chat template drops the thoughts of past turns: what a sample is trained on is then exactly what such a
    model would see when it is asked for that turn. Thoughts of earlier turns are taken out, as the template would.
    """
    start = 0
    for number, end in enumerate(_turn_ends(example), 1):
        yield from _cut(example, start, end, f"turn-{number}")
        start = end


VARIANTS: dict[str, Variant] = {"whole": whole, "single-turn": single_turn, "per-turn": per_turn}


def _turn_ends(example: SFTExample) -> list[int]:
    """Where each user turn ends: the index after its last message."""
    users = [index for index, message in enumerate(example.messages) if message["role"] == "user"]
    return [*users[1:], len(example.messages)] if users else []


def _cut(example: SFTExample, start: int, end: int, label: str) -> Iterator[SFTExample]:
    mask = [0] * start + list(example.train_mask[start:end])
    if 1 not in mask:
        return
    messages = [
        _without_thoughts(message) if i < start else message for i, message in enumerate(example.messages[:end])
    ]
    yield example.model_copy(
        update={
            "id": f"{example.id}.{label}",
            "messages": messages,
            "train_mask": mask,
            "provenance": {**example.provenance, "cut": label, "cut_from": example.id},
        }
    )


def _without_thoughts(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "reasoning_content"}
