"""For TRL's SFTTrainer: `messages` and `tools` as objects, in Parquet with the feature types that `datasets` needs for them.

Every message and every tool is a value of the feature `Json`: read back as the object it is, without the keys of all other rows as
nulls. A column of structs would merge the arguments of all calls, and a model would learn `"path": null`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ise_assets.train.formats import FilePerSplit, WriteExample, arguments_of
from ise_assets.train.models import PreferencePair, SFTExample

_ROWS_PER_GROUP = 100
_TEXT, _OBJECTS, _NUMBERS = pa.string(), pa.list_(pa.json_(pa.string())), pa.list_(pa.int8())
_FEATURES = {
    _TEXT: {"dtype": "string", "_type": "Value"},
    _OBJECTS: {"feature": {"_type": "Json"}, "_type": "List"},
    _NUMBERS: {"feature": {"dtype": "int8", "_type": "Value"}, "_type": "List"},
}


def _schema(**fields: pa.DataType) -> pa.Schema:
    features = {name: _FEATURES[kind] for name, kind in fields.items()}
    return pa.schema(fields.items(), metadata={"huggingface": json.dumps({"info": {"features": features}})})


SCHEMA = _schema(id=_TEXT, messages=_OBJECTS, tools=_OBJECTS, train_mask=_NUMBERS, provenance=_TEXT)
PAIR_SCHEMA = _schema(id=_TEXT, prompt=_OBJECTS, chosen=_OBJECTS, rejected=_OBJECTS, tools=_OBJECTS, provenance=_TEXT)


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
        with _rows(path, SCHEMA) as put:
            yield lambda example: put(_row(example))


@contextmanager
def pair_writer(path: Path) -> Iterator[Callable[[PreferencePair], None]]:
    """Accepted/rejected pairs as TRL's DPOTrainer reads them; holds one row group in memory."""
    with _rows(path, PAIR_SCHEMA) as put:
        yield lambda pair: put(_pair(pair))


@contextmanager
def _rows(path: Path, schema: pa.Schema) -> Iterator[Callable[[dict[str, Any]], None]]:
    waiting: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, schema, compression="zstd") as file:

        def flush() -> None:
            columns = [
                pa.array([_stored(row[field.name], field.type) for row in waiting], type=_storage(field.type)).cast(
                    field.type
                )
                for field in schema
            ]
            file.write_table(pa.Table.from_arrays(columns, schema=schema))
            waiting.clear()

        def put(row: dict[str, Any]) -> None:
            waiting.append(row)
            if len(waiting) == _ROWS_PER_GROUP:
                flush()

        yield put
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
    return pa.list_(pa.string()) if kind == _OBJECTS else kind


def _stored(value: Any, kind: pa.DataType) -> Any:
    return [json.dumps(item, ensure_ascii=False) for item in value] if kind == _OBJECTS else value


def _row(example: SFTExample) -> dict[str, Any]:
    return {
        "id": example.id,
        "messages": trl_messages(example.messages),
        "tools": example.tools,
        "train_mask": example.train_mask,
        "provenance": json.dumps(example.provenance, ensure_ascii=False, sort_keys=True),
    }


def _pair(pair: PreferencePair) -> dict[str, Any]:
    """What both sides share, message by message up to the agent's first word, is the prompt."""
    chosen, rejected = trl_messages(pair.chosen), trl_messages(pair.rejected)
    shared = 0
    for one, other in zip(chosen, rejected, strict=False):
        if one != other or one["role"] == "assistant":
            break
        shared += 1
    return {
        "id": pair.id,
        "prompt": chosen[:shared],
        "chosen": chosen[shared:],
        "rejected": rejected[shared:],
        "tools": pair.tools,
        "provenance": json.dumps(pair.provenance, ensure_ascii=False, sort_keys=True),
    }
