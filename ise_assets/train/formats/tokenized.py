"""Tokens and labels for one model: for trainers that take no mask a message, in Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ise_assets.train.formats import FilePerSplit, WriteExample
from ise_assets.train.masks import label, load_tokenizer
from ise_assets.train.models import SFTExample

SCHEMA = pa.schema([("id", pa.string()), ("input_ids", pa.list_(pa.int32())), ("labels", pa.list_(pa.int32()))])
_ROWS_PER_GROUP = 100


class Tokenized(FilePerSplit):
    """Rendered by the chat template of the tokenizer in `tokenizer`, a model's folder."""

    name = "tokenized"
    reader = "Any trainer that takes `input_ids` and `labels` (TRL with `skip_prepare_dataset`, transformers' Trainer)."
    mask = "honoured: labels are -100 wherever a message is not trained on"
    data_files = "{split}.parquet"
    suffix = ".parquet"

    def __init__(self, tokenizer: Path) -> None:
        self._tokenizer = load_tokenizer(tokenizer)

    @contextmanager
    def writer(self, path: Path) -> Iterator[WriteExample]:
        """Holds one row group in memory.

        Raises:
            FormatError: the template rewrites earlier turns.
        """
        waiting: list[dict[str, object]] = []
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as file:

            def write(example: SFTExample) -> None:
                found = label(self._tokenizer, example)
                waiting.append({"id": example.id, "input_ids": found.input_ids, "labels": found.labels})
                if len(waiting) == _ROWS_PER_GROUP:
                    file.write_table(pa.Table.from_pylist(waiting, schema=SCHEMA))
                    waiting.clear()

            yield write
            if waiting:
                file.write_table(pa.Table.from_pylist(waiting, schema=SCHEMA))
