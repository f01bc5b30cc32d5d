"""What an export costs: time and peak memory of each format, each written by a process of its own.

    .venv/bin/python -m ise_assets_tests.benchmarks.bench_exports --n 23132 --json

The warehouse holds `--n` training records: real sessions of the scripted teacher, copied under other ids, each with texts of its
own; and a tenth as many pairs. `tokenized` is that of SmolLM2. Time per record at a quarter of
them and at all of them tells whether it grows with their number.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ise_assets.train.export import FORMATS, write_exports, write_format, write_pairs
from ise_assets.train.formats.tokenized import Tokenized
from ise_assets.warehouse import Warehouse
from ise_assets_tests.benchmarks.corpus import make_corpus
from ise_assets_tests.train.small_models import save_smollm2_tokenizer

ALL = ("sft_split", *FORMATS, "tokenized", "preference")
"""Every format by name, `sft_split` for what each materialization of that asset writes (openai, parquet and the card)."""


def write(home: Path, name: str) -> dict[str, float]:
    """Export everything of a home in one format, and throw it away."""
    warehouse, folder = Warehouse(home / "ise.duckdb"), home / "exports" / name
    began = time.monotonic()
    if name == "sft_split":
        folder.mkdir(parents=True)
        samples = write_exports(warehouse, folder)
    elif name == "preference":
        samples = write_pairs(warehouse, folder)
    elif name == "tokenized":
        samples = write_format(warehouse, Tokenized(home.parent / "tokenizer"), folder)
    else:
        samples = write_format(warehouse, FORMATS[name], folder)
    seconds = time.monotonic() - began
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return {"samples": samples, "seconds": seconds, "peak_mib": peak_mib(), "mib": size / 2**20}


def peak_mib() -> float:
    """The most memory this process has held (`ru_maxrss` would be its parent's, where that held more)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=23_132, help="training records")
    parser.add_argument("--formats", default=",".join(ALL), help="which formats, comma-separated")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    wanted = parser.parse_args()
    names = wanted.formats.split(",")
    folder = Path(tempfile.mkdtemp(prefix="ise-bench-"))
    save_smollm2_tokenizer(folder / "tokenizer", "chatml-tools")
    found: dict[int, dict[str, dict[str, Any]]] = {}
    try:
        for part in (wanted.n // 4, wanted.n):
            home = folder / str(part)
            make_corpus(home, part)
            found[part] = {}
            for name in names:
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    found[part][name] = pool.apply(write, (home, name))
                print(f"  {part:,} as {name}: {found[part][name]['seconds']:.1f} s", file=sys.stderr, flush=True)
            shutil.rmtree(home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    few, many = found.values()
    print(
        f"| format | {wanted.n:,} records, s | ms a record (at a quarter of them) | peak, MiB | written, MiB |\n|---|---|---|---|---|"
    )
    for name in names:
        one, other = few[name], many[name]
        each = [1000 * side["seconds"] / side["samples"] for side in (other, one)]
        print(
            f"| {name} | {other['seconds']:.0f} | {each[0]:.2f} ({each[1]:.2f}) | {other['peak_mib']:,.0f} | {other['mib']:,.0f} |"
        )
    if wanted.json:
        print(json.dumps({"n": wanted.n, "formats": many, "quarter": few}))


if __name__ == "__main__":
    main()
