"""Deduplication: what counts as the same, which of two stays, and that a decision holds whatever comes later."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ise_assets.intent import dedup, diversity
from ise_assets.intent.dedup import dedup_domain, find_duplicates, normalise
from ise_assets.stage import StageRun
from ise_assets_tests.intent.pool_world import put_intents, put_vectors, stage_run, unit_vectors

DOMAINS = ("file-io", "source-chain", "multimedia")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Merge the ledgers.", "merge  the\nledgers"),
        ("Ｍerge the ledgers", "Merge the ledgers!"),
        ("STRASSE, please", "straße please"),
    ],
)
def test_case_width_punctuation_and_white_space_do_not_tell_texts_apart(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("?!", "..."), ("\U0001f600", "\U0001f622"), ("port 8080", "port 8081"), ("हिंदी", "हिदी"), ("C++", "C")],
)
def test_texts_that_say_different_things_stay_different(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(
    count=st.integers(1, 40),
    seed=st.integers(0, 10_000),
    threshold=st.sampled_from([0.3, 0.6, 0.9, 1.0]),
    block=st.integers(1, 9),
)
def test_blocks_decide_as_the_rule_read_literally(count: int, seed: int, threshold: float, block: int) -> None:
    vectors = unit_vectors(count, 4, seed)
    picks = np.random.default_rng(seed).integers(0, count, count)
    vectors = vectors[picks]
    texts = [f"text {pick if pick % 3 == 0 else f'{pick} no {row}'}" for row, pick in enumerate(picks)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dedup, "BLOCK", block)
        found = find_duplicates(texts, vectors, np.arange(count), threshold)
    cosines = vectors @ vectors.T
    expected = {}
    for row in range(count):
        same = [earlier for earlier in range(row) if texts[earlier] == texts[row]]
        near = [earlier for earlier in range(row) if cosines[row, earlier] >= threshold - 1e-6]
        if same or near:
            expected[row] = (same[0], "exact") if same else (near[0], "semantic")
    assert {d.index: (d.of, d.method) for d in found} == expected
    assert all(threshold - 1e-5 <= d.similarity <= 1.0 for d in found)


def test_a_drop_counts_against_later_ones_even_when_it_was_dropped_itself() -> None:
    chain = np.array([[1, 0], [0.8, 0.6], [0.28, 0.96]], dtype=np.float32)  # neighbours at 0.8, ends at 0.28
    found = find_duplicates(["a", "b", "c"], chain, np.arange(3), 0.75)
    assert [(d.index, d.of) for d in found] == [(1, 0), (2, 1)]


def test_a_drop_names_what_it_duplicates_how_and_how_much(tmp_path: Path) -> None:
    run = stage_run(tmp_path, duplicate_threshold=0.9)
    texts = {"i1": "Merge the ledgers.", "i2": "merge the ledgers", "i3": "join both ledgers", "i4": "plot a graph"}
    vectors = np.array([[1, 0], [0, 1], [0.96, 0.28], [0.6, -0.8]], dtype=np.float32)
    put_intents(run, "file-io", texts)
    put_vectors(run, "file-io", texts, vectors, 1)
    summary = dedup_domain(run, "file-io")
    dropped = run.warehouse.rows(
        "SELECT intent_id, duplicate_of, method, similarity FROM dropped_duplicates ORDER BY 1"
    )
    assert [(d["intent_id"], d["duplicate_of"], d["method"]) for d in dropped] == [
        ("i2", "i1", "exact"),
        ("i3", "i1", "semantic"),
    ]
    assert dropped[1]["similarity"] == pytest.approx(0.96)
    assert _kept(run) == {"i1", "i4"}
    assert (summary["kept"], summary["dropped_exact"], summary["dropped_semantic"]) == (2, 1, 1)


@pytest.mark.parametrize("order", list(itertools.permutations(DOMAINS)))
def test_in_every_arrival_order_of_domains_the_rule_holds_and_no_kept_intent_is_dropped_later(
    tmp_path: Path, order: tuple[str, ...]
) -> None:
    run = stage_run(tmp_path, duplicate_threshold=0.9)
    world = _three_domains()
    arrived: list[tuple[int, str, np.ndarray, str]] = []
    kept_before: set[str] = set()
    # each domain arrives in two waves, and the first is decided before or after its neighbours came
    for generation, (wave, domain) in enumerate(itertools.product((0, 1), order), start=1):
        texts, vectors = world[domain][wave]
        put_intents(run, domain, texts)
        put_vectors(run, domain, texts, vectors, generation)
        arrived += [(generation, i, v, domain) for i, v in zip(texts, vectors, strict=True)]
        if wave == 1 or domain != order[1]:
            dedup_domain(run, domain)
        assert kept_before <= _kept(run)
        kept_before = _kept(run)
    for domain in order:
        dedup_domain(run, domain)
    assert kept_before <= _kept(run)

    arrived.sort(key=lambda row: row[:2])
    lawful = {
        identity
        for row, (_, identity, vector, _) in enumerate(arrived)
        if all(float(vector @ earlier[2]) < 0.9 for earlier in arrived[:row])
    }
    assert _kept(run) == lawful
    assert 0 < len(lawful) < len(arrived)


def test_a_second_run_decides_nothing_again(tmp_path: Path) -> None:
    run = stage_run(tmp_path)
    _arrive(run, "file-io", {"i1": "one", "i2": "two"}, unit_vectors(2), 1)
    assert dedup_domain(run, "file-io")["decided_now"] == 2
    stamps = run.warehouse.rows("SELECT * FROM deduped_pool ORDER BY intent_id")
    assert dedup_domain(run, "file-io")["decided_now"] == 0
    assert run.warehouse.rows("SELECT * FROM deduped_pool ORDER BY intent_id") == stamps


def test_another_threshold_leaves_decisions_alone_until_the_run_asks_to_refresh(tmp_path: Path) -> None:
    texts = {"i1": "one", "i2": "two"}
    vectors = np.array([[1, 0], [0.8, 0.6]], dtype=np.float32)
    _arrive(stage_run(tmp_path, duplicate_threshold=0.9), "file-io", texts, vectors, 1)
    assert dedup_domain(stage_run(tmp_path, duplicate_threshold=0.9), "file-io")["kept"] == 2

    stricter = stage_run(tmp_path, duplicate_threshold=0.7)
    summary = dedup_domain(stricter, "file-io")
    assert (summary["kept"], summary["decided_now"], summary["stale"]) == (2, 0, 2)
    assert _kept(stricter) == {"i1", "i2"}

    refreshed = dedup_domain(stage_run(tmp_path, duplicate_threshold=0.7, refresh=True), "file-io")
    assert (refreshed["kept"], refreshed["dropped"], refreshed["stale"]) == (1, 1, 0)
    assert _kept(stricter) == {"i1"}


def test_refresh_leaves_decisions_about_intents_without_vectors(tmp_path: Path) -> None:
    run = stage_run(tmp_path)
    _arrive(run, "file-io", {"i1": "one", "i2": "two"}, unit_vectors(2), 1)
    dedup_domain(run, "file-io")
    other_model = stage_run(tmp_path, refresh=True, embedding_model="another/encoder")
    dedup_domain(other_model, "file-io")
    assert _kept(run) == {"i1", "i2"}


def test_what_another_run_decided_meanwhile_stays(tmp_path: Path) -> None:
    texts = {"i1": "one", "i2": "two"}
    vectors = np.array([[1, 0], [0.8, 0.6]], dtype=np.float32)
    quicker = stage_run(tmp_path, duplicate_threshold=0.9, run_id="quicker")
    _arrive(quicker, "file-io", texts, vectors, 1)

    def overtake(done: int, total: int, what: str) -> None:
        if done:
            dedup_domain(quicker, "file-io")

    slower = replace(stage_run(tmp_path, duplicate_threshold=0.7), progress=overtake)
    assert dedup_domain(slower, "file-io")["decided_now"] == 0
    assert _kept(slower) == {"i1", "i2"}


def test_intents_without_vectors_wait_and_other_domains_are_not_decided(tmp_path: Path) -> None:
    run = stage_run(tmp_path)
    put_intents(run, "file-io", {"i0": "zero", "i1": "one"})
    put_vectors(run, "file-io", {"i1": "one"}, unit_vectors(1), 1)
    _arrive(run, "multimedia", {"m1": "other"}, unit_vectors(1, seed=5), 2)
    dedup_domain(run, "file-io")
    assert _kept(run) == {"i1"}


def test_a_domain_with_nothing_is_decided_without_a_fuss(tmp_path: Path) -> None:
    assert dedup_domain(stage_run(tmp_path), "file-io")["kept"] == 0


def _arrive(run: StageRun, domain: str, texts: dict[str, str], vectors: np.ndarray, generation: int) -> None:
    put_intents(run, domain, texts)
    put_vectors(run, domain, texts, vectors, generation)


def _kept(run: StageRun) -> set[str]:
    kept = {row["intent_id"] for row in run.warehouse.rows("SELECT intent_id FROM deduped_pool")}
    dropped = {row["intent_id"] for row in run.warehouse.rows("SELECT intent_id FROM dropped_duplicates")}
    assert not kept & dropped
    return kept


def _three_domains() -> dict[str, list[tuple[dict[str, str], np.ndarray]]]:
    """Two waves per domain; vectors scattered around few centres, so that chains of near-duplicates cross all borders."""
    draw = np.random.default_rng(3)
    centres = unit_vectors(5, 6, 1)
    world: dict[str, list[tuple[dict[str, str], np.ndarray]]] = {}
    for domain in DOMAINS:
        for _wave in (0, 1):
            scattered = centres[draw.integers(0, 5, 6)] + draw.normal(scale=0.17, size=(6, 6))
            vectors = (scattered / np.linalg.norm(scattered, axis=1, keepdims=True)).astype(np.float32)
            ids = [f"{draw.integers(1 << 30):08x}" for _ in range(6)]
            world.setdefault(domain, []).append(({i: f"text {i}" for i in ids}, vectors))
    return world


@given(st.lists(st.text(alphabet="aAbß .,-'\téＡﬁ…—İ\u00a0_1", max_size=6), max_size=40))
def test_texts_that_are_equal_once_normalised_are_found_without_normalising_all(texts: list[str]) -> None:
    first: dict[str, int] = {}
    assert dedup._first_alike(texts) == [first.setdefault(normalise(text), n) for n, text in enumerate(texts)]


@pytest.mark.parametrize("q", [0.5, 1.0, 2.0, float("inf")])
def test_the_score_of_many_vectors_is_that_of_all_their_rows(q: float) -> None:
    from vendi_score import vendi as library

    vectors = np.random.default_rng(0).standard_normal((900, 48)).astype(np.float32) + 0.4
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order: Any = "inf" if q == float("inf") else int(q) if q == int(q) else q
    assert len(diversity._few_rows(vectors)) == 48
    whole = float(library.score_dual(vectors.astype(np.float64), q=order, normalize=False))
    assert diversity.vendi(vectors, q) == pytest.approx(whole, rel=1e-5)
