"""LLaMA-Factory: two layouts of chat data, and the entry in `dataset_info.json` that registers each file.

Its converter (0.9.5, llamafactory/data/converter.py) loses things without a word, so nothing is left to it:

- An assistant message with `tool_calls` loses its text. Here a turn with calls is one string under the tag of functions:
  the calls as a JSON list, bare where the agent said nothing, else after its words and inside `<tool_call>` marks, which the
  formatter takes apart again (a template with marks of its own must be given these).
- Arguments that are a string would be quoted twice, and as objects in a column of their own Arrow would merge the keys of all
  rows. Inside that string they are objects, and never reach Arrow.
- Consecutive answers of tools merge; sharegpt would skip the sample. Both layouts hold them as the converter joins them.
- Requests and answers must alternate and be even in number, else the sample is skipped: here it is refused.

It trains on every turn of the agent: the mask per message is not honoured. The column `kept`, a JSON string that the converter
drops, holds what the layouts cannot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from ise_assets.train.formats import ExportFormat, FormatError, WriteExample, arguments_of, json_lines
from ise_assets.train.models import SFTExample

OPEN, CLOSE = "<tool_call>", "</tool_call>"
"""`tool_call_words` of LLaMA-Factory's templates."""
JOINT = "\n</tool_response>\n<tool_response>\n"
"""What its converter puts between consecutive answers of tools."""
_Layout = Literal["openai", "sharegpt"]
_LAYOUTS: tuple[_Layout, ...] = get_args(_Layout)
_Role = Literal["user", "observation", "assistant", "function", "system"]
_SIDES = (("user", "observation"), ("assistant", "function"))
_TAGS: dict[_Layout, dict[str, str]] = {
    "openai": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "observation_tag": "tool",
        "function_tag": "function",
        "system_tag": "system",
    },
    "sharegpt": {
        "role_tag": "from",
        "content_tag": "value",
        "user_tag": "human",
        "assistant_tag": "gpt",
        "observation_tag": "observation",
        "function_tag": "function_call",
        "system_tag": "system",
    },
}
_COLUMNS = {
    "openai": {"messages": "messages", "tools": "tools"},
    "sharegpt": {"messages": "conversations", "system": "system", "tools": "tools"},
}


class LlamaFactory(ExportFormat):
    """`openai_<split>.jsonl`, `sharegpt_<split>.jsonl`, and `dataset_info.json` with an entry for each."""

    name = "llamafactory"
    reader = (
        "LLaMA-Factory (0.9.5): point `dataset_dir` here and take `ise_openai_train` or `ise_sharegpt_train` as `dataset`. What the "
        "agent said beside a call stands before the call's marks, so the template must use `<tool_call>`, as Qwen's does."
    )
    mask = "not honoured: it trains on every message of the assistant (on the last alone with `mask_history`)"

    @contextmanager
    def open(self, folder: Path) -> Iterator[WriteExample]:
        """Writes both layouts side by side; a split without records has no file.

        Raises:
            FormatError: where requests and answers do not alternate: it would be skipped without a word.
        """
        files: dict[tuple[_Layout, str], Callable[[Any], None]] = {}
        with ExitStack() as stack:

            def write(example: SFTExample) -> None:
                for layout in _LAYOUTS:
                    place = (layout, example.split)
                    if place not in files:
                        files[place] = stack.enter_context(json_lines(folder / f"{layout}_{example.split}.jsonl"))
                    files[place](_row(example, layout))

            yield write
        info = {
            f"ise_{layout}_{split}": {
                "file_name": f"{layout}_{split}.jsonl",
                "formatting": layout,
                "columns": _COLUMNS[layout],
                "tags": _TAGS[layout],
            }
            for layout, split in files
        }
        (folder / "dataset_info.json").write_text(json.dumps(info, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _row(example: SFTExample, layout: _Layout) -> dict[str, Any]:
    tags = _TAGS[layout]
    system, turns = _turns(example)
    messages = [{tags["role_tag"]: tags[f"{role}_tag"], tags["content_tag"]: text} for role, text in turns]
    row: dict[str, Any] = {"id": example.id}
    if layout == "openai":
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        row["messages"] = messages
    else:
        row |= {"conversations": messages, "system": system or ""}
    return {**row, "tools": json.dumps(example.tools, ensure_ascii=False), "kept": _kept(example)}


def _turns(example: SFTExample) -> tuple[str | None, list[tuple[_Role, str]]]:
    """The system's words, and what follows as (role, text), answers of tools joined; the roles alternate."""
    first, *rest = example.messages
    system = first["content"] if first["role"] == "system" else None
    turns: list[tuple[_Role, str]] = []
    for message in rest if system is not None else example.messages:
        role = _role(message)
        if role == "observation" and turns and turns[-1][0] == "observation":
            turns[-1] = (role, turns[-1][1] + JOINT + message["content"])
        else:
            turns.append((role, _called(message) if role == "function" else message["content"]))
    alternate = all(role in _SIDES[index % 2] for index, (role, _) in enumerate(turns))
    if not alternate or len(turns) % 2:
        raise FormatError(
            f"record {example.id} for LLaMA-Factory: requests and answers must alternate, got {[role for role, _ in turns]}"
        )
    return system, turns


def _role(message: dict[str, Any]) -> _Role:
    if message["role"] == "tool":
        return "observation"
    if message["role"] == "assistant":
        return "function" if message.get("tool_calls") else "assistant"
    return "user" if message["role"] == "user" else "system"


def _called(message: dict[str, Any]) -> str:
    """The calls of a turn, after what the agent said beside them."""
    calls = [{"name": c["function"]["name"], "arguments": arguments_of(c)} for c in message["tool_calls"]]
    # marks inside a value would end the calls early; as an escape the value stays the same
    listed = (
        json.dumps(calls, ensure_ascii=False).replace(OPEN, "\\u003ctool_call>").replace(CLOSE, "\\u003c/tool_call>")
    )
    said = message.get("content") or ""
    if not said or not _is_free(said):
        return listed
    return f"{said}{OPEN}{listed}{CLOSE}"


def _is_free(said: str) -> bool:
    """Whether the formatter would find the calls where they are, and nowhere else."""
    return OPEN not in said and CLOSE not in said


def _kept(example: SFTExample) -> str:
    """What the layouts cannot hold, by index of the message."""
    kept: dict[str, Any] = {}
    roles = [message["role"] for message in example.messages]
    for index, message in enumerate(example.messages):
        own = {key: value for key, value in message.items() if key not in ("role", "content")}
        if message["role"] == "assistant" and message.get("tool_calls"):
            own["content"] = message.get("content")
        elif message["role"] == "tool" and "tool" in roles[index - 1 : index + 2 : 2]:
            own["content"] = message["content"]
        if own:
            kept[str(index)] = own
    record = example.model_dump(mode="json", exclude={"id", "messages", "tools"})
    return json.dumps({"record": record, "messages": kept}, ensure_ascii=False)
