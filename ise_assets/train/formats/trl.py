"""For TRL's SFTTrainer: `messages` and `tools` as objects, in Parquet with the feature types that `datasets` needs for them.

Every message and every tool is a value of the feature `Json`: read back as the object it is, without the keys of all other rows as
nulls. A column of structs would merge the arguments of all calls, and a model would learn `"path": null`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ise_assets.train.formats import FilePerSplit, WriteExample, arguments_of
from ise_assets.train.models import SFTExample

_ROWS_PER_GROUP = 100
_OBJECTS = {"feature": {"_type": "Json"}, "_type": "List"}
_NUMBERS = {"feature": {"dtype": "int8", "_type": "Value"}, "_type": "List"}
_TEXT = {"dtype": "string", "_type": "Value"}
_FEATURES = {"id": _TEXT, "messages": _OBJECTS, "tools": _OBJECTS, "train_mask": _NUMBERS, "provenance": _TEXT}
_JSON_LIST = pa.list_(pa.json_(pa.string()))
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", _JSON_LIST),
        ("tools", _JSON_LIST),
        ("train_mask", pa.list_(pa.int8())),
        ("provenance", pa.string()),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)


class Trl(FilePerSplit):
    """Row groups of 100 records."""

    name = "trl"
    reader = (
        "TRL's SFTTrainer (1.16 and newer, datasets 4.7 and newer): `load_dataset` on this folder gives `messages` and `tools` with "
        "tool-call arguments as objects. Set `max_length`: its default cuts at 1,024 tokens without a word."
    )
    mask = (
        "`assistant_only_loss=True` trains on all of the assistant's words if the chat template marks them with `{% generation %}`; "
        "masks of single messages are not honoured: use the format `tokenized` for those"
    )
    data_files = "{split}.parquet"
    suffix = ".parquet"

    @contextmanager
    def writer(self, path: Path) -> Iterator[WriteExample]:
        """Holds one row group in memory."""
        waiting: list[dict[str, Any]] = []
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as file:

            def flush() -> None:
                columns = [
                    pa.array([row[field.name] for row in waiting], type=_storage(field.type)).cast(field.type)
                    for field in SCHEMA
                ]
                file.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
                waiting.clear()

            def write(example: SFTExample) -> None:
                waiting.append(_row(example))
                if len(waiting) == _ROWS_PER_GROUP:
                    flush()

            yield write
            if waiting:
                flush()


def trl_message(message: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A message as TRL and chat templates read it; `names` are the called tools by call id."""
    if message["role"] == "tool":
        return {**message, "name": message.get("name") or names.get(message["tool_call_id"], "")}
    if not message.get("tool_calls"):
        return {key: value for key, value in message.items() if key != "tool_calls"}
    calls = [
        {**call, "function": {**call["function"], "arguments": arguments_of(call)}} for call in message["tool_calls"]
    ]
    return {**message, "content": message.get("content") or "", "tool_calls": calls}


def trl_messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A conversation as TRL and chat templates read it: arguments as objects, tools' answers with the tools' names."""
    names = {call["id"]: call["function"]["name"] for m in messages for call in m.get("tool_calls") or []}
    return [trl_message(message, names) for message in messages]


def _storage(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.string()) if kind == _JSON_LIST else kind


def _row(example: SFTExample) -> dict[str, Any]:
    return {
        "id": example.id,
        "messages": [json.dumps(m, ensure_ascii=False) for m in trl_messages(example.messages)],
        "tools": [json.dumps(tool, ensure_ascii=False) for tool in example.tools],
        "train_mask": example.train_mask,
        "provenance": json.dumps(example.provenance, ensure_ascii=False, sort_keys=True),
    }
