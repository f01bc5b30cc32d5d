"""Deduplication, exact and semantic, that never changes its mind in whatever order the domains run.

The order is (generation, intent id). An intent is dropped when any smaller one, in any domain, kept or dropped, lies within the
threshold. What is embedded later sorts later, so a kept intent stays kept and a paid session is never orphaned.

A decision is made once. Another threshold (or another encoder) rules intents that are not decided yet; those decided under the
old one are counted as `stale` and decided again only when the run asks to `refresh`, which may then drop an intent that has sessions.
"""

from __future__ import annotations

import sys
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ise_assets.intent.embedding import Vectors
from ise_assets.intent.models import content_hash
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow, sql

DEDUP_VERSION = 1
BLOCK = 2048
_ROUNDING = 1e-6
"""float32 cosines of equal vectors may fall this far short of 1."""


@dataclass(frozen=True)
class Duplicate:
    """A dropped intent (by position) and the smallest earlier one that it duplicates."""

    index: int
    of: int
    method: Literal["exact", "semantic"]
    similarity: float


def normalise(text: str) -> str:
    """`text` with case, width, punctuation and white space taken away; a text of punctuation alone keeps it."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = folded.translate(_punctuation())
    return " ".join((bare if bare.strip() else folded).split())


@cache
def _punctuation() -> dict[int, str]:
    return {code: " " for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("P")}


def find_duplicates(
    texts: Sequence[str], vectors: Vectors, candidates: npt.NDArray[np.int64], threshold: float
) -> list[Duplicate]:
    """Which of `candidates` duplicate an earlier text.

    Args:
        texts: all texts, in (generation, id) order.
        vectors: float32 [n, d], unit rows, in the same order.
        candidates: int64 positions to decide, ascending.
        threshold: cosine from which two texts are one.

    Beside its arguments it holds two blocks of `BLOCK` rows and their product, whatever n is.
    """
    same_as = _first_alike(texts)
    found: list[Duplicate] = []
    # one for all blocks: new pages cost as much as a fifth of the product
    room = np.empty((BLOCK, BLOCK), dtype=np.float32)
    marks = np.empty(BLOCK * BLOCK, dtype=np.bool_)
    for start in range(0, len(candidates), BLOCK):
        rows = candidates[start : start + BLOCK]
        best = np.full(len(rows), -1, dtype=np.int64)
        cosine = np.zeros(len(rows), dtype=np.float32)
        block = vectors[rows]
        for left in range(0, int(rows[-1]), BLOCK):
            columns = np.arange(left, min(left + BLOCK, int(rows[-1])))
            product = room[: len(rows), : len(columns)]
            np.matmul(block, vectors[left : columns[-1] + 1].T, out=product)
            near = marks[: product.size].reshape(product.shape)
            np.greater_equal(product, threshold - _ROUNDING, out=near)
            at, to = np.divmod(np.flatnonzero(near), len(columns))  # few, row by row, each row's first one first
            before = columns[to] < rows[at]
            at, first = np.unique(at[before], return_index=True)
            to = to[before][first]
            new = best[at] < 0
            best[at[new]] = columns[to[new]]
            cosine[at[new]] = product[at[new], to[new]]
        for row, earlier, similarity in zip(rows.tolist(), best.tolist(), cosine.tolist(), strict=True):
            same = same_as[row]
            if same < row:
                found.append(Duplicate(row, same, "exact", 1.0))
            elif earlier >= 0:
                found.append(Duplicate(row, earlier, "semantic", min(1.0, similarity)))
    return found


def _first_alike(texts: Sequence[str]) -> list[int]:
    """The position of the first text that is the same once normalised, for each. Only texts whose letters agree are normalised."""
    letters: defaultdict[str, list[int]] = defaultdict(list)
    for position, text in enumerate(texts):
        letters[_letters(text)].append(position)
    same_as = list(range(len(texts)))
    for positions in letters.values():
        if len(positions) > 1:
            first: dict[str, int] = {}
            for position in positions:
                same_as[position] = first.setdefault(normalise(texts[position]), position)
    return same_as


def _letters(text: str) -> str:
    """Equal for all texts that are equal once normalised, and cheap: plain letters and digits in one case."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).casefold()
    return text.lower().encode("ascii", "ignore").translate(None, _OTHERS).decode()


_OTHERS = bytes(code for code in range(128) if not chr(code).isalnum())


def dedup_domain(run: StageRun, domain: str) -> dict[str, Any]:
    """The deduped_pool asset's work: decide the domain's intents that have vectors and are not decided yet.

    With `refresh` all of the domain's intents that have vectors are decided anew.
    """
    settings = run.settings
    ids, domains, texts, vectors = pool_in_order(run.warehouse, settings.embedding_model, domain)
    decided = {} if run.refresh else _decided(run.warehouse.rows(sql("intent/select_decided"), {"domain": domain}))
    undecided = [
        position
        for position, (identity, where) in enumerate(zip(ids, domains, strict=True))
        if where == domain and identity not in decided
    ]
    candidates = np.array(undecided, dtype=np.int64)
    run.progress(0, 1, "duplicates looked for")
    found = find_duplicates(texts, vectors, candidates, settings.duplicate_threshold) if undecided else []
    run.progress(1, 1, "duplicates looked for")
    dropped = {duplicate.index: duplicate for duplicate in found}
    spec = content_hash("dedup", DEDUP_VERSION, settings.embedding_model, settings.duplicate_threshold)
    stamp = {"domain": domain, "run_id": run.run_id, "spec_hash": spec, "written_at": datetime.now(UTC)}
    kept_rows = [{"intent_id": ids[i], **stamp} for i in undecided if i not in dropped]
    dropped_rows = [
        {"intent_id": ids[i], "duplicate_of": ids[d.of], "method": d.method, "similarity": d.similarity, **stamp}
        for i, d in dropped.items()
    ]
    decided_now = run.warehouse.write(
        lambda connection: _store(connection, domain, kept_rows, dropped_rows, refresh=run.refresh)
    )
    (counts,) = run.warehouse.rows(sql("intent/count_decisions"), {"domain": domain})
    return {
        **counts,
        "decided_now": decided_now,
        "stale": sum(earlier != spec for earlier in decided.values()),
        "compared_with": len(ids),
        "threshold": settings.duplicate_threshold,
    }


def pool_in_order(
    warehouse: Warehouse, model: str, domain: str | None = None
) -> tuple[list[str], list[str], list[str], Vectors]:
    """Ids, domains, utterances and vectors (float32 [n, d]) of all intents that have one, by (generation, id).

    With `domain` up to its last generation: what comes after cannot make a duplicate of anything in it.
    """

    def look(connection: duckdb.DuckDBPyConnection) -> tuple[pa.Table, list[str], Vectors]:
        connection.execute("BEGIN")  # all of the same moment
        last = connection.execute(sql("intent/select_last_generation"), {"domain": domain}).fetchone()
        wanted = {"model": model, "until": last[0] if last else 0}
        texts = connection.execute(sql("intent/select_texts_in_order"), wanted).to_arrow_table()
        lying, vectors = _read_vectors(connection, wanted)
        connection.execute("COMMIT")
        return texts, lying, vectors

    texts, lying, vectors = warehouse.read(look)
    ids = texts.column("intent_id").to_pylist()
    if lying != ids:
        place = {identity: row for row, identity in enumerate(lying)}
        vectors = vectors[[place[identity] for identity in ids]]
    return ids, texts.column("domain").to_pylist(), texts.column("utterance").to_pylist(), vectors


def _read_vectors(connection: duckdb.DuckDBPyConnection, wanted: Mapping[str, Any]) -> tuple[list[str], Vectors]:
    """Ids and vectors as they lie, a batch at a time: a table of them all takes three times as long to come."""
    counted = connection.execute(sql("intent/count_vectors"), wanted).fetchone()
    vectors = np.zeros((0, 1), dtype=np.float32)
    ids: list[str] = []
    for batch in connection.execute(sql("intent/select_vectors"), wanted).to_arrow_reader(BLOCK):
        rows = batch.column("vector").flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
        if not ids:
            vectors = np.empty((counted[0] if counted else 0, rows.shape[1]), dtype=np.float32)
        vectors[len(ids) : len(ids) + len(rows)] = rows
        ids += batch.column("intent_id").to_pylist()
    return ids, vectors


def _store(
    connection: duckdb.DuckDBPyConnection,
    domain: str,
    kept: Sequence[dict[str, Any]],
    dropped: Sequence[dict[str, Any]],
    refresh: bool,
) -> int:
    if refresh:
        again = {"domain": domain, "ids": [row["intent_id"] for row in [*kept, *dropped]]}
        connection.execute(sql("intent/delete_kept"), again)
        connection.execute(sql("intent/delete_dropped"), again)
    # asked again under the writer lock: what another run has decided since stays as it is
    decided = _decided(
        connection.execute(sql("intent/select_decided"), {"domain": domain}).to_arrow_table().to_pylist()
    )
    written = 0
    for table, rows in (("deduped_pool", kept), ("dropped_duplicates", dropped)):
        new = [row for row in rows if row["intent_id"] not in decided]
        written += replace_rows(connection, table, rows_to_arrow(table, new), ["intent_id"])
    return written


def _decided(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {row["intent_id"]: row["spec_hash"] for row in rows}


def matrix_of(pool: pa.Table) -> Vectors:
    """The `vector` column of an Arrow table as float32 [n, d]."""
    column = pool.column("vector")
    column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return flat.reshape(len(column), -1) if len(column) else np.zeros((0, 1), dtype=np.float32)
