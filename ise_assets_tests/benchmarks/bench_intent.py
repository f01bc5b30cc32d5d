"""Stage I at full size: time and peak memory of writing, embedding, deduplicating and measuring a pool.

    .venv/bin/python -m ise_assets_tests.benchmarks.bench_intent --n 50000 --json

Each stage runs in a process of its own, through the functions that the assets call. What is embedded is kept under the cache folder,
by scenario and persona files: the next run reuses it, an interrupted one goes on where it was, and texts that another pool there
has a vector for, finished or not, are not embedded again. `--dtypes N` also embeds N of the texts in float32 and bfloat16 and tells what
changes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import multiprocessing
import resource
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ise_assets.defs.intent.assets import files_version
from ise_assets.intent import personas as people
from ise_assets.intent.catalog import record_catalog
from ise_assets.intent.dedup import dedup_domain, find_duplicates, matrix_of
from ise_assets.intent.diversity import CURVE, ISE_CURVE, vendi, vendi_at
from ise_assets.intent.embedding import Encoder, embed_pool, spec_hash
from ise_assets.intent.models import DOMAINS
from ise_assets.intent.persona_pool import take_in
from ise_assets.intent.pool import write_intents
from ise_assets.journal import Journal
from ise_assets.settings import Settings, load_settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow, sql

SPEED_SAMPLE = 512
_VECTORS = "SELECT text_sha256, vector, spec_hash FROM intent_embeddings WHERE model = ?"
_WITHOUT_VECTOR = """
    SELECT id, domain, sha256(utterance) AS digest FROM intent_pool
    WHERE id NOT IN (SELECT intent_id FROM intent_embeddings WHERE model = ?)
    ORDER BY domain, id
"""


def a_run(home: Path, n: int, **changes: Any) -> StageRun:
    count = sum(len(people.read_persona_list(path).personas) for path in people.list_files(people.SHIPPED_LISTS))
    settings = load_settings(home=home, intents_per_persona=-(-n // count), max_minutes_per_run=0.0)
    return StageRun(Warehouse.of(settings), settings, "bench", progress=progress, **changes)


def progress(done: int, total: int, what: str) -> None:
    if total and done and (done == total or done % 2_000 == 0):
        print(f"  {done:,} of {total:,} {what}", file=sys.stderr, flush=True)


def write(home: Path, n: int) -> dict[str, Any]:
    """Sampling and the scripted writer, all domains."""
    run = a_run(home, n)
    take_in(run)
    record_catalog(run)
    began = time.monotonic()
    written = sum(write_intents(run, domain)["new_intents"] for domain in DOMAINS)
    return {"written": written, "seconds": time.monotonic() - began}


def embed(home: Path, n: int) -> dict[str, Any]:
    """Vectors of what has none; the speed is that of what was computed, or of a sample where all were there."""
    run = a_run(home, n)
    encoder = Encoder(run.settings)
    texts = [row["utterance"] for row in run.warehouse.rows("SELECT utterance FROM intent_pool ORDER BY id")]
    for other in sorted(path for path in home.parent.iterdir() if path != home and path.suffix != ".fresh"):
        reuse(run, load_settings(home=other), other)
    encoder.encode(texts[:8])  # loads the model
    began = time.monotonic()
    computed = sum(embed_pool(run, domain)["computed"] for domain in DOMAINS)
    seconds = time.monotonic() - began
    if computed < SPEED_SAMPLE:
        rows = np.random.default_rng(0).choice(len(texts), min(SPEED_SAMPLE, len(texts)), replace=False)
        began = time.monotonic()
        encoder.encode([texts[row] for row in rows])
        computed, seconds = len(rows), time.monotonic() - began
    return {"texts_per_s": computed / seconds, "dtype": encoder.dtype, "seconds": seconds}


def reuse(run: StageRun, others: Settings, home: Path) -> None:
    """Take vectors of the same texts from another pool: what is in its warehouse, and what its journals hold."""
    model = run.settings.embedding_model
    found: dict[str, tuple[Any, str]] = {}
    if Warehouse.of(others).exists():
        for row in Warehouse.of(others).rows(_VECTORS, [model]):
            found[row["text_sha256"]] = (row["vector"], row["spec_hash"])
    for path in (home / "journals" / "intent_embeddings").glob("*.sqlite"):
        with Journal(path) as journal:
            for digest, body in journal.items():
                vector = np.frombuffer(base64.b64decode(body["vector"]), dtype=np.float32)
                found[digest] = (vector, spec_hash(model, body["dtype"]))
    rows = [
        {"intent_id": row["id"], "domain": row["domain"], "model": model, "text_sha256": row["digest"]}
        | {"vector": found[row["digest"]][0], "spec_hash": found[row["digest"]][1], "run_id": run.run_id}
        | {"generation": 1 + DOMAINS.index(row["domain"]), "written_at": datetime.now(UTC)}
        for row in run.warehouse.rows(_WITHOUT_VECTOR, [model])
        if row["digest"] in found
    ]
    if rows:
        keys = ["intent_id", "model"]
        run.warehouse.write(
            lambda c: replace_rows(c, "intent_embeddings", rows_to_arrow("intent_embeddings", rows), keys)
        )
        print(f"  {len(rows):,} vectors from {home.name}", file=sys.stderr, flush=True)


def dedup(home: Path, n: int) -> dict[str, Any]:
    """Every domain decided anew, against the whole pool."""
    run = a_run(home, n, refresh=True)
    began = time.monotonic()
    for domain in DOMAINS:
        dedup_domain(run, domain)
    seconds = time.monotonic() - began
    kept = run.warehouse.scalar("SELECT count(*) FROM deduped_pool")
    return {"unique": kept, "seconds": seconds}


def measure(home: Path, n: int) -> dict[str, Any]:
    """The Vendi Score of all kept intents (timed), and the curve."""
    run = a_run(home, n)
    vectors = matrix_of(
        run.warehouse.table(sql("intent/select_kept"), {"model": run.settings.embedding_model, "domain": None})
    )
    vendi(vectors[:8])  # loads the library
    began = time.monotonic()
    whole = vendi(vectors)
    seconds = time.monotonic() - began
    curve = {str(size): vendi_at(vectors, size) for size in CURVE if size < len(vectors)}
    return {"seconds": seconds, "curve": {**curve, str(len(vectors)): (whole, whole, whole)}}


def dtypes(home: Path, n: int, sample: int) -> dict[str, Any]:
    """The same texts in both types: Vendi Score and kept sets of each."""
    run = a_run(home, n)
    texts = [row["utterance"] for row in run.warehouse.rows("SELECT utterance FROM intent_pool ORDER BY id")]
    rows = np.random.default_rng(1).choice(len(texts), min(sample, len(texts)), replace=False)
    chosen = [texts[row] for row in rows]
    found: dict[str, Any] = {}
    for dtype in ("float32", "bfloat16"):
        settings = run.settings.model_copy(update={"embedding_dtype": dtype})
        began = time.monotonic()
        vectors = Encoder(settings).encode(chosen)
        dropped = find_duplicates(chosen, vectors, np.arange(len(chosen)), settings.duplicate_threshold)
        found[dtype] = {"vendi": vendi(vectors), "dropped": {d.index for d in dropped}, "s": time.monotonic() - began}
    one, other = found["float32"], found["bfloat16"]
    return {
        "texts": len(chosen),
        "vendi_change_percent": 100 * (other["vendi"] / one["vendi"] - 1),
        "kept_otherwise": len(one["dropped"] ^ other["dropped"]),
        "dropped": len(one["dropped"]),
        "float32_texts_per_s": len(chosen) / one["s"],
        "bfloat16_texts_per_s": len(chosen) / other["s"],
    }


def apart(stage: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    """The stage's figures and its peak memory (MiB), from a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (stage, given))


def _measured(stage: Callable[..., dict[str, Any]], given: tuple[Any, ...]) -> dict[str, Any]:
    found = stage(*given)
    return {**found, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def kept_home(settings: Settings, n: int) -> Path:
    """Where the embedded pool of these scenarios and personas is kept."""
    lists = hashlib.sha256(b"".join(path.read_bytes() for path in people.list_files(people.SHIPPED_LISTS)))
    return settings.cache_dir / "bench_intent" / f"{n}-{files_version()}-{lists.hexdigest()[:8]}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50_000, help="intents to write")
    parser.add_argument("--dtypes", type=int, default=0, help="texts to compare float32 and bfloat16 on")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    wanted = parser.parse_args()
    home = kept_home(load_settings(), wanted.n)
    fresh = home.with_name(f"{home.name}.fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    written = apart(write, fresh, wanted.n)
    if home.exists():
        shutil.rmtree(fresh)
    else:
        fresh.rename(home)
    embedded = apart(embed, home, wanted.n)
    decided = apart(dedup, home, wanted.n)
    measured = apart(measure, home, wanted.n)
    print("| stage | | peak, MiB |\n|---|---|---|")
    print(f"| sample and write {written['written']:,} | {written['seconds']:.1f} s | {written['peak_mib']:,.0f} |")
    speed = f"{embedded['texts_per_s']:.1f} texts/s, {embedded['dtype']}"
    print(f"| embed | {speed} | {embedded['peak_mib']:,.0f} |")
    kept = f"deduplicate, {decided['unique']:,} kept"
    print(f"| {kept} | {decided['seconds']:.1f} s | {decided['peak_mib']:,.0f} |")
    print(f"| Vendi Score of them | {measured['seconds']:.2f} s | {measured['peak_mib']:,.0f} |")
    print("\n| n | Vendi Score (lowest and highest of five draws) | ISE, published |\n|---|---|---|")
    for size, (mean, low, high) in measured["curve"].items():
        print(f"| {int(size):,} | {mean:.1f} ({low:.1f}-{high:.1f}) | {ISE_CURVE.get(int(size), '')} |")
    if wanted.dtypes:
        print(f"\nfloat32 against bfloat16: {json.dumps(apart(dtypes, home, wanted.n, wanted.dtypes))}")
    if wanted.json:
        result = {
            "n": written["written"],
            "unique": decided["unique"],
            "write_s": round(written["seconds"], 1),
            "embed_texts_per_s": round(embedded["texts_per_s"], 1),
            "dedup_s": round(decided["seconds"], 1),
            "dedup_peak_mib": round(decided["peak_mib"]),
            "vendi_s": round(measured["seconds"], 2),
            "vendi": {size: round(mean, 2) for size, (mean, _, _) in measured["curve"].items()},
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()
