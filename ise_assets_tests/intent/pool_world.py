"""A small intent pool written straight into a real warehouse, for the tests of embedding, deduplication and diversity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ise_assets.settings import Settings, load_settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow

STAMP = {"run_id": "test", "spec_hash": "test", "written_at": datetime(2026, 6, 11, tzinfo=UTC)}


def stage_run(home: Path, refresh: bool = False, run_id: str = "run", **overrides: Any) -> StageRun:
    """A run over the warehouse of `home`."""
    settings: Settings = load_settings(home=home, **overrides)
    return StageRun(Warehouse.of(settings), settings, run_id, refresh=refresh)


def put_intents(run: StageRun, domain: str, texts: dict[str, str], **columns: Any) -> None:
    """Intents by id with their utterances; `columns` for all of them (persona_id, tasks, complexity ...)."""
    given = {
        "persona_id": "ada",
        "tasks": ["merge-the-ledgers"],
        "complexity": "simple",
        "domains": [domain],
        **columns,
    }
    rows = [{"id": identity, "domain": domain, "utterance": text, **given, **STAMP} for identity, text in texts.items()]
    _put(run, "intent_pool", rows, ["id"])


def put_vectors(
    run: StageRun, domain: str, texts: dict[str, str], vectors: npt.NDArray[np.float32], generation: int
) -> None:
    """One vector per intent, as `embed_pool` would have written them in that generation."""
    rows = [
        {
            "intent_id": identity,
            "domain": domain,
            "model": run.settings.embedding_model,
            "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "generation": generation,
            "vector": vector.tolist(),
            **STAMP,
        }
        for (identity, text), vector in zip(texts.items(), vectors, strict=True)
    ]
    _put(run, "intent_embeddings", rows, ["intent_id", "model"])


def put_kept(run: StageRun, domain: str, ids: Sequence[str]) -> None:
    """Intents that deduplication has kept."""
    _put(run, "deduped_pool", [{"intent_id": identity, "domain": domain, **STAMP} for identity in ids], ["intent_id"])


def unit_vectors(count: int, dimensions: int = 16, seed: int = 0) -> npt.NDArray[np.float32]:
    """Random unit vectors, float32 [count, dimensions]."""
    drawn = np.random.default_rng(seed).normal(size=(count, dimensions))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def _put(run: StageRun, table: str, rows: list[dict[str, Any]], keys: list[str]) -> None:
    run.warehouse.write(lambda connection: replace_rows(connection, table, rows_to_arrow(table, rows), keys))
