"""Deduplication side by side on the same texts and vectors: ours, a loop over all pairs, and semhash.

    python -m venv /tmp/semhash && /tmp/semhash/bin/pip install semhash==0.5.0
    .venv/bin/python -m ise_assets_tests.benchmarks.bench_dedup --n 20000 --semhash /tmp/semhash/bin/python --json

Texts and vectors are those that `bench_intent` keeps; run it first, with `--n` at least as large. Each of the three works in a process of
its own, which loads both from files; time is that of deduplication alone, memory the process's peak, texts and vectors and libraries with it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ise_assets.intent.dedup import pool_in_order
from ise_assets.settings import load_settings
from ise_assets.warehouse import Warehouse

_LOAD = """
import json, resource, sys, time
import numpy as np

folder, threshold = sys.argv[1], float(sys.argv[2])
texts = json.load(open(folder + "/texts.json", encoding="utf-8"))
vectors = np.load(folder + "/vectors.npy")

def told(kept, began):
    s, mib = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"kept": sorted(kept), "s": s, "mib": mib}))
"""
_OURS = """
from ise_assets.intent.dedup import find_duplicates

began = time.monotonic()
dropped = {d.index for d in find_duplicates(texts, vectors, np.arange(len(texts)), threshold)}
told(set(range(len(texts))) - dropped, began)
"""
_NAIVE = """
began = time.monotonic()
kept = []
for row in range(len(texts)):
    if row == 0 or (vectors[:row] @ vectors[row]).max() < threshold - 1e-6:
        kept.append(row)
told(kept, began)
"""
_SEMHASH = """
from semhash import SemHash

began = time.monotonic()
records = [{"text": text, "row": str(row)} for row, text in enumerate(texts)]
found = SemHash.from_embeddings(vectors, records, model=None, columns=["text"])
result = found.self_deduplicate(threshold=threshold)
told([int(record["row"]) for record in result.selected], began)
"""


def kept_pool(n: int) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Texts and vectors of the largest pool that `bench_intent` has embedded, the first `n` by intent id."""
    best: tuple[list[str], np.ndarray[Any, Any]] | None = None
    for home in (load_settings().cache_dir / "bench_intent").glob("*-*"):
        settings = load_settings(home=home)
        if not Warehouse.of(settings).exists():
            continue
        ids, _, texts, vectors = pool_in_order(Warehouse.of(settings), settings.embedding_model)
        if best is None or len(ids) > len(best[0]):
            order = np.argsort(ids)[:n]
            best = ([texts[row] for row in order], vectors[order])
    if best is None or len(best[0]) < n:
        have = len(best[0]) if best else 0
        raise SystemExit(f"only {have:,} texts are embedded; run bench_intent with --n {n} or more first")
    return best


def measure(code: str, python: str, folder: str, threshold: float) -> dict[str, Any]:
    """Kept rows, seconds and MiB of one way, in a process of its own."""
    ran = subprocess.run([python, "-c", _LOAD + code, folder, str(threshold)], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{python} failed:\n{ran.stderr[-2_000:]}")
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20_000, help="texts")
    parser.add_argument("--threshold", type=float, default=load_settings().duplicate_threshold)
    parser.add_argument("--semhash", default="", help="an interpreter that has semhash; left out without")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    wanted = parser.parse_args()
    texts, vectors = kept_pool(wanted.n)
    ways = {"ours": (_OURS, sys.executable), "a loop over all pairs": (_NAIVE, sys.executable)}
    if wanted.semhash:
        ways["semhash"] = (_SEMHASH, wanted.semhash)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        np.save(f"{folder}/vectors.npy", vectors)
        found = {name: measure(*way, folder, wanted.threshold) for name, way in ways.items()}
    ours = set(found["ours"]["kept"])
    print(f"{wanted.n:,} texts, threshold {wanted.threshold}\n")
    print("| | kept | kept here, dropped by ours | dropped here, kept by ours | s | MiB |\n|---|---|---|---|---|---|")
    for name, way in found.items():
        kept = set(way["kept"])
        print(
            f"| {name} | {len(kept):,} | {len(kept - ours)} | {len(ours - kept)} | {way['s']:.1f} | {way['mib']:,.0f} |"
        )
    if wanted.json:
        rows = {name: {"kept": len(way["kept"]), "s": way["s"], "mib": way["mib"]} for name, way in found.items()}
        print(json.dumps({"n": wanted.n, "threshold": wanted.threshold, **rows}))


if __name__ == "__main__":
    main()
