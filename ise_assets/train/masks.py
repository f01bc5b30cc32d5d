"""Which tokens are trained on: the mask of messages, carried through a model's own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ise_assets.train.formats import FormatError
from ise_assets.train.formats.trl import trl_messages
from ise_assets.train.models import SFTExample

IGNORED = -100
"""The label that trainers leave out of the loss."""


@dataclass(frozen=True)
class Labelled:
    """A record as tokens: `labels` are the `input_ids` where they are trained on, else `IGNORED`; `pieces` is each token's text."""

    input_ids: list[int]
    labels: list[int]
    pieces: list[str]


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model's folder, with its chat template; nothing is fetched.

    Raises:
        FormatError: it is none, or has no chat template.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise FormatError(f"{folder} holds no tokenizer: {error}") from error
    if not tokenizer.chat_template:
        raise FormatError(f"the tokenizer of {folder} has no chat template (a file chat_template.jinja beside it)")
    if not tokenizer.is_fast:
        raise FormatError(f"the tokenizer of {folder} cannot say which characters its tokens cover")
    return tokenizer


def label(tokenizer: Any, example: SFTExample) -> Labelled:
    """The record through the tokenizer's chat template.

    What is trained on of a message is what a model that is asked for it has to write: all that the template puts after the prompt for
    it, its end mark included. The conversation is rendered twice for each such message: a template may do anything with what came before.

    Raises:
        FormatError: the template rewrites earlier turns, so that no mask of the whole record is true.
    """
    messages = trl_messages(example.messages)
    whole = _render(tokenizer, messages, example.tools)
    spans = []
    for index, wanted in enumerate(example.train_mask):
        if wanted:
            before = _render(tokenizer, messages[:index], example.tools, prompt=True)
            after = _render(tokenizer, messages[: index + 1], example.tools)
            if not whole.startswith(after) or not after.startswith(before):
                raise FormatError(
                    f"{example.id}: the chat template shows message {index} otherwise in the whole record than when it is asked for "
                    "(some drop the thoughts of past turns): export with --variant per-turn"
                )
            spans.append((len(before), len(after)))
    encoded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    trained = _within(offsets, spans)
    labels = [number if inside else IGNORED for number, inside in zip(ids, trained, strict=True)]
    pieces, shown = [], 0
    for start, end in offsets:  # tokens of one character all cover it: the first of them shows it
        pieces.append(whole[max(start, shown) : end])
        shown = max(shown, end)
    return Labelled(ids, labels, pieces)


def _render(tokenizer: Any, messages: list[dict[str, Any]], tools: list[dict[str, Any]], prompt: bool = False) -> str:
    return str(
        tokenizer.apply_chat_template(messages, tools=tools or None, tokenize=False, add_generation_prompt=prompt)
    )


def _within(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]) -> list[bool]:
    """For each token whether it lies in one of the spans; both are in the order of the text."""
    inside, at = [], 0
    for start, end in offsets:
        while at < len(spans) and spans[at][1] <= start:
            at += 1
        inside.append(at < len(spans) and spans[at][0] <= start < end <= spans[at][1])
    return inside
