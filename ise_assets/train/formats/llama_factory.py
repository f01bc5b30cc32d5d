"""For LLaMA-Factory: both of its layouts for conversations with tools, and the entry for its `dataset_info.json`.

Its converters drop the text beside tool calls and take only conversations in which user and agent alternate strictly; they skip others
without a word. So the text that would be dropped is kept in a column of its own, answers to parallel calls are one message (as its
openai converter would make them), and a conversation that would be skipped is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ise_assets.train.formats import ExportFormat, FormatError, WriteExample, json_lines
from ise_assets.train.models import SPLITS, SFTExample

BETWEEN_ANSWERS = "\n</tool_response>\n<tool_response>\n"
"""What its openai converter puts between the answers to calls made at once."""

_SHAREGPT = {"user": "human", "assistant": "gpt", "call": "function_call", "tool": "observation"}
_INFO: dict[str, dict[str, Any]] = {
    "openai": {
        "formatting": "openai",
        "columns": {"messages": "messages", "tools": "tools"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "observation_tag": "tool",
            "function_tag": "function_call",
            "system_tag": "system",
        },
    },
    "sharegpt": {
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "system": "system", "tools": "tools"},
    },
}


class LlamaFactory(ExportFormat):
    """`openai_<split>.jsonl`, `sharegpt_<split>.jsonl`, `dataset_info.json`."""

    name = "llamafactory"
    reader = (
        "LLaMA-Factory (0.9.5): point `dataset_dir` here and take `ise_openai_train` or `ise_sharegpt_train` as `dataset`. What the agent "
        "said beside a tool call it does not read; that is in the column `beside_calls`."
    )
    mask = "not honoured: it trains on every message of the assistant (on the last alone with `mask_history`)"

    @contextmanager
    def open(self, folder: Path) -> Iterator[WriteExample]:
        """Writes both layouts side by side."""
        info = {
            f"ise_{layout}_{split}": {"file_name": f"{layout}_{split}.jsonl", **entry}
            for layout, entry in _INFO.items()
            for split in SPLITS
        }
        (folder / "dataset_info.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
        with ExitStack() as stack:
            files = {
                (layout, split): stack.enter_context(json_lines(folder / f"{layout}_{split}.jsonl"))
                for layout in _INFO
                for split in SPLITS
            }

            def write(example: SFTExample) -> None:
                files["openai", example.split](_openai(example))
                files["sharegpt", example.split](_sharegpt(example))

            yield write


def _openai(example: SFTExample) -> dict[str, Any]:
    messages = [
        {
            "role": message["role"],
            "content": message.get("content") or "",
            # one type for all rows: a list, empty where nothing is called
            "tool_calls": [{"type": "function", "function": _function(c)} for c in message.get("tool_calls") or []],
        }
        for message in example.messages
    ]
    return {"id": example.id, "messages": messages, **_common(example)}


def _sharegpt(example: SFTExample) -> dict[str, Any]:
    first, *rest = example.messages
    system = first["content"] if first["role"] == "system" else ""
    turns: list[dict[str, str]] = []
    for message in rest if first["role"] == "system" else example.messages:
        kind = "call" if message.get("tool_calls") else message["role"]
        text = message.get("content") or ""
        if kind == "call":
            text = json.dumps([_function(call) for call in message["tool_calls"]], ensure_ascii=False)
        if kind == "tool" and turns and turns[-1]["from"] == "observation":
            turns[-1]["value"] += BETWEEN_ANSWERS + text
        else:
            turns.append({"from": _SHAREGPT[kind], "value": text})
    _refuse_what_is_skipped(example, turns)
    return {"id": example.id, "conversations": turns, "system": system, **_common(example)}


def _function(call: dict[str, Any]) -> dict[str, Any]:
    return {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}


def _common(example: SFTExample) -> dict[str, Any]:
    beside = [
        {"message": index, "text": message["content"]}
        for index, message in enumerate(example.messages)
        if message.get("tool_calls") and message.get("content")
    ]
    return {
        "tools": json.dumps([tool["function"] for tool in example.tools], ensure_ascii=False),
        "beside_calls": beside,
        "provenance": json.dumps(example.provenance, ensure_ascii=False, sort_keys=True),
    }


def _refuse_what_is_skipped(example: SFTExample, turns: Sequence[dict[str, str]]) -> None:
    for index, turn in enumerate(turns):
        if (turn["from"] in ("human", "observation")) is (index % 2 == 1):
            raise FormatError(f"{example.id}: LLaMA-Factory would skip it: turn {index} is another {turn['from']}")
    if len(turns) % 2:
        raise FormatError(f"{example.id}: LLaMA-Factory would skip it: {len(turns)} turns, an odd number")
