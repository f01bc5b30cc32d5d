"""The export folder: all domains' records as files, written beside and renamed, by one process at a time."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ise_assets.train.card import dataset_card
from ise_assets.train.formats import ExportFormat, WriteExample
from ise_assets.train.formats.openai_jsonl import OpenAIJsonl
from ise_assets.train.formats.parquet import Parquet
from ise_assets.train.models import SPLITS, SFTExample
from ise_assets.warehouse import Warehouse, sql

FORMATS: tuple[ExportFormat, ...] = (OpenAIJsonl(), Parquet())
_PAGE = 100


@contextmanager
def exports_locked(exports_dir: Path) -> Iterator[Path]:
    """The folder of the SFT export, held by this process alone: partitions run side by side, the files are shared."""
    folder = exports_dir / "sft"
    folder.mkdir(parents=True, exist_ok=True)
    with (exports_dir / "sft.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def write_exports(warehouse: Warehouse, folder: Path) -> int:
    """Write every split in every format, and the dataset card; returns the number of records. Hold the lock.

    Files appear whole or not at all. The same rows give the same bytes. Memory is that of one page of records.
    """
    part = folder / ".part"
    shutil.rmtree(part, ignore_errors=True)  # left by a killed process; the lock says nobody is at work in it
    part.mkdir()
    with ExitStack() as stack:
        writers: Mapping[str, list[WriteExample]] = {
            split: [stack.enter_context(fmt.writer(part / f"{split}{fmt.suffix}")) for fmt in FORMATS]
            for split in SPLITS
        }
        records = 0
        for example in read_examples(warehouse):
            for write in writers[example.split]:
                write(example)
            records += 1
    (part / "README.md").write_text(dataset_card(warehouse), encoding="utf-8")
    for path in sorted(part.iterdir()):
        path.replace(folder / path.name)
    part.rmdir()
    return records


def read_examples(warehouse: Warehouse) -> Iterator[SFTExample]:
    """All records of all domains, in order of id, a page at a time, in one scan of the table."""
    for row in warehouse.stream(sql("train/select_records"), page=_PAGE):
        for key in ("messages", "tools", "train_mask", "provenance"):
            row[key] = json.loads(row[key])
        yield SFTExample.model_validate(row)
