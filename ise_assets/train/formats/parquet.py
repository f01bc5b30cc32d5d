"""Parquet with one fixed schema, for `datasets.load_dataset` and everything that reads Arrow.

What differs from record to record (tool schemas, tool-call arguments, provenance) is a JSON string: Arrow would merge
the types of all rows, and every call would learn the others' argument names as nulls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ise_assets.train.formats import FilePerSplit, FormatError, WriteExample
from ise_assets.train.models import SFTExample

_ROWS_PER_GROUP = 100

_CALL = pa.struct(
    [
        ("id", pa.string()),
        ("type", pa.string()),
        ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())])),
    ]
)
_MESSAGE = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        ("tool_calls", pa.list_(_CALL)),
        ("tool_call_id", pa.string()),
        ("name", pa.string()),
        ("extra", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(_MESSAGE)),
        ("tools", pa.string()),
        ("train_mask", pa.list_(pa.int8())),
        ("tokens", pa.int64()),
        ("tokenizer", pa.string()),
        ("domain", pa.string()),
        ("split", pa.string()),
        ("dialogue_id", pa.string()),
        ("intent_id", pa.string()),
        ("persona_id", pa.string()),
        ("scripted", pa.bool_()),
        ("provenance", pa.string()),
    ]
)
_MESSAGE_KEYS = {"role", "content", "tool_calls", "tool_call_id", "name"}
_CALL_KEYS = {"id", "type", "function"}
_FUNCTION_KEYS = {"name", "arguments"}


class Parquet(FilePerSplit):
    """Row groups of 100 records, zstd; a message key that has no column goes, as JSON, into that message's `extra`."""

    name = "parquet"
    reader = "`datasets.load_dataset`, DuckDB, pandas. `tools` and tool-call arguments are JSON strings."
    mask = "not honoured by trainers that know only `messages`: mask by the column `train_mask` yourself"
    also_empty = True
    data_files = "{split}.parquet"
    suffix = ".parquet"

    @contextmanager
    def writer(self, path: Path) -> Iterator[WriteExample]:
        """Holds one row group in memory.

        Raises:
            FormatError: a value cannot be put into its column.
        """
        waiting: list[dict[str, Any]] = []
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as file:

            def flush() -> None:
                try:
                    table = pa.Table.from_pylist(waiting, schema=SCHEMA)
                except (pa.ArrowException, UnicodeEncodeError) as error:
                    raise FormatError(f"{waiting[0]['id']} ... {waiting[-1]['id']} as Parquet: {error}") from error
                file.write_table(table)
                waiting.clear()

            def write(example: SFTExample) -> None:
                waiting.append(_row(example))
                if len(waiting) == _ROWS_PER_GROUP:
                    flush()

            yield write
            if waiting:
                flush()


def _row(example: SFTExample) -> dict[str, Any]:
    row = example.model_dump(mode="json", exclude={"messages", "tools", "provenance"})
    return {
        **row,
        "messages": [_message(message) for message in example.messages],
        "tools": json.dumps(example.tools, ensure_ascii=False),
        "persona_id": example.provenance.get("persona_id"),
        "scripted": example.provenance.get("scripted"),
        "provenance": json.dumps(example.provenance, ensure_ascii=False, sort_keys=True),
    }


def _message(message: dict[str, Any]) -> dict[str, Any]:
    extra = {key: value for key, value in message.items() if key not in _MESSAGE_KEYS}
    calls = message.get("tool_calls")
    if any(set(call) - _CALL_KEYS or set(call["function"]) - _FUNCTION_KEYS for call in calls or []):
        extra["tool_calls"] = calls
    row = {key: message.get(key) for key in _MESSAGE_KEYS}
    return {**row, "extra": json.dumps(extra, ensure_ascii=False) if extra else None}
