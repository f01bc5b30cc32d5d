"""The export folder: all domains' records as files, written beside and renamed, by one process at a time."""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from ise_assets.train.card import dataset_card
from ise_assets.train.formats import ExportFormat
from ise_assets.train.formats.atif import Atif
from ise_assets.train.formats.hugging_face import HuggingFace
from ise_assets.train.formats.inspect_log import InspectLog
from ise_assets.train.formats.llama_factory import LlamaFactory
from ise_assets.train.formats.openai_jsonl import OpenAIJsonl
from ise_assets.train.formats.parquet import Parquet
from ise_assets.train.formats.trl import Trl, pair_writer
from ise_assets.train.models import SPLITS, PreferencePair, SFTExample
from ise_assets.train.variants import Variant, whole
from ise_assets.warehouse import Warehouse, sql

DEFAULT: tuple[ExportFormat, ...] = (OpenAIJsonl(), Parquet())
"""What every materialization of sft_split writes, side by side in one folder."""
FORMATS: dict[str, ExportFormat] = {
    fmt.name: fmt for fmt in (*DEFAULT, Trl(), LlamaFactory(), Atif(), HuggingFace(), InspectLog())
}
"""What can be asked for by name, besides `tokenized`, which needs a tokenizer, and `preference`, which is of pairs."""
_PAGE = 100


def _silent(samples: int) -> None:
    return None


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
        writers = [stack.enter_context(fmt.open(part)) for fmt in DEFAULT]
        records = 0
        for example in read_examples(warehouse):
            for write in writers:
                write(example)
            records += 1
    (part / "README.md").write_text(dataset_card(warehouse), encoding="utf-8")
    for path in sorted(part.iterdir()):
        path.replace(folder / path.name)
    part.rmdir()
    return records


def write_format(
    warehouse: Warehouse,
    fmt: ExportFormat,
    folder: Path,
    variant: Variant = whole,
    told: Callable[[int], None] = _silent,
) -> int:
    """Write all records in one format into `folder`, which is replaced as a whole; returns the number of samples.

    Memory is that of one page of records. `told` is called with the number of samples so far.

    Raises:
        FormatError: a record cannot be written so; the folder is as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        part.chmod(0o755)
        samples: Counter[str] = Counter()
        with fmt.open(part) as write:
            for example in read_examples(warehouse):
                for cut in variant(example):
                    write(cut)
                    samples[cut.split] += 1
                told(samples.total())
        (part / "README.md").write_text(_readme(warehouse, fmt, samples), encoding="utf-8")
        _swap(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return samples.total()


def write_pairs(warehouse: Warehouse, folder: Path) -> int:
    """Write accepted/rejected pairs as TRL's DPOTrainer reads them: `prompt`, `chosen`, `rejected`; returns how many.

    A Parquet file for each split that has pairs, `load_dataset` on the folder gives them. Memory is that of one row group.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        part.chmod(0o755)
        count = 0
        writers: dict[str, Callable[[PreferencePair], None]] = {}
        with ExitStack() as stack:
            for pair in read_pairs(warehouse):
                if pair.split not in writers:
                    writers[pair.split] = stack.enter_context(pair_writer(part / f"{pair.split}.parquet"))
                writers[pair.split](pair)
                count += 1
        _swap(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return count


def _readme(warehouse: Warehouse, fmt: ExportFormat, samples: Counter[str]) -> str:
    """The card, about this folder's files and counts, with the format's own words first."""
    _, head, body = dataset_card(warehouse).split("---\n", 2)
    about = yaml.safe_load(head)
    about.pop("dataset_info", None)
    if fmt.data_files:
        files = [{"split": s, "path": fmt.data_files.format(split=s)} for s in SPLITS if samples[s]]
        about["configs"] = [{"config_name": "default", "data_files": files}]
    else:
        about.pop("configs", None)
    yaml_head = yaml.safe_dump(about, sort_keys=False, allow_unicode=True)
    words = f"# Format `{fmt.name}`\n\n{fmt.reader}\n\nThe train mask: {fmt.mask}."
    counts = ", ".join(f"{split} {samples[split]:,}" for split in SPLITS if samples[split])
    return f"---\n{yaml_head}---\n{words}\n\nSamples here: {counts or 'none'}.\n\n{body.lstrip()}"


def _swap(part: Path, folder: Path) -> None:
    """`part` in the place of `folder`: there is always a whole one, but for the moment between two renames."""
    old = part.with_name(f"{part.name}.old")
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_examples(warehouse: Warehouse) -> Iterator[SFTExample]:
    """All records of all domains, in order of id, a page at a time, in one scan of the table."""
    for row in warehouse.stream(sql("train/select_records"), page=_PAGE, order="id"):
        for key in ("messages", "tools", "train_mask", "provenance"):
            row[key] = json.loads(row[key])
        yield SFTExample.model_validate(row)


def read_pairs(warehouse: Warehouse) -> Iterator[PreferencePair]:
    """All accepted/rejected pairs of all domains, in order of id, for a preference export."""
    for row in warehouse.stream(sql("train/select_pairs"), order="id"):
        for key in ("chosen", "rejected", "tools", "provenance", "redactions"):
            row[key] = json.loads(row[key])
        row["provenance"]["redactions_of_rejected"] = row.pop("redactions")
        yield PreferencePair.model_validate(row)
