"""The diversity reports: figures that can be worked out by hand, coverage, and the floor at equal n."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ise_assets import checks
from ise_assets.intent import diversity
from ise_assets.intent.dedup import dedup_domain
from ise_assets.intent.diversity import neighbour_similarities, report_domain, report_pool, self_similarity
from ise_assets.stage import StageRun
from ise_assets_tests.intent.pool_world import put_intents, put_vectors, stage_run, unit_vectors


@pytest.fixture
def run(tmp_path: Path) -> StageRun:
    """Twelve kept intents in two domains, all of them far from each other."""
    run = stage_run(tmp_path)
    vectors = np.eye(12, 16, dtype=np.float32)
    for number, domain in enumerate(("file-io", "source-chain")):
        ids = [f"{domain}-{n}" for n in range(6)]
        for n, identity in enumerate(ids):
            who = {"persona_id": f"p{n % 3}", "tasks": [f"t{n % 2}", "t9"], "complexity": ("simple", "complex")[n % 2]}
            put_intents(run, domain, {identity: f"do {identity} <b>now</b>"}, **who)
        texts = {identity: f"do {identity} <b>now</b>" for identity in ids}
        put_vectors(run, domain, texts, vectors[6 * number : 6 * number + 6], generation=number + 1)
        dedup_domain(run, domain)
    return run


def metrics(rows: list[dict[str, Any]]) -> dict[str, tuple[float, Any]]:
    return {row["metric"]: (row["value"], json.loads(row["detail"])) for row in rows}


def test_orthogonal_intents_count_one_by_one(run: StageRun) -> None:
    report_domain(run, "file-io")
    found = metrics(run.warehouse.rows("SELECT * FROM diversity_report"))
    assert found["intents"][0] == 6
    for name in ("vendi", "vendi_q0.5", "vendi_q2", "vendi_qinf"):
        assert found[name][0] == pytest.approx(6.0)
    assert found["self_similarity"][0] == pytest.approx(0.0, abs=1e-6)
    assert sum(found["self_similarity"][1]["pairs"]) == 15
    assert (found["neighbour_p5"][0], found["neighbour_p100"][0]) == (0, 0)


def test_coverage_counts_what_occurs_and_says_what_could(run: StageRun) -> None:
    report_pool(run)
    found = metrics(run.warehouse.rows("SELECT * FROM pool_diversity"))
    assert {name: found[f"coverage_{name}"][0] for name in ("personas", "tasks", "tiers")} == {
        "personas": 3,
        "tasks": 3,
        "tiers": 2,
    }
    assert (found["coverage_persona_domain"][0], found["coverage_persona_domain"][1]["possible"]) == (6, 6)
    assert (found["coverage_persona_task"][0], found["coverage_persona_task"][1]["possible"]) == (9, 9)
    assert (found["coverage_task_tier"][0], found["coverage_task_tier"][1]["possible"]) == (4, 6)
    assert found["coverage_domain_tier"][1]["cells"]["file-io / simple"] == 3
    assert found["vendi_of_domains"][1]["source-chain"] == {"all": 6.0, "at_equal_n": 6.0}


def test_the_page_shows_everything_and_escapes_what_people_wrote(run: StageRun) -> None:
    told = report_pool(run)
    page = Path(told["report"]).read_text(encoding="utf-8")
    assert "<b>now</b>" not in page and "&lt;b&gt;now&lt;/b&gt;" in page
    for words in ("Vendi at 6", "coverage_persona_domain", "of 6", "self_similarity", "data:image/png;base64,"):
        assert words in page


def test_pairs_and_neighbours_of_a_sample_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_vectors(300, seed=1)
    mean, pairs = self_similarity(vectors)
    product = (vectors @ vectors.T)[np.triu_indices(300, 1)]
    assert mean == pytest.approx(float(product.mean()), abs=1e-5)
    assert sum(pairs) == len(product)
    monkeypatch.setattr(diversity, "_NEIGHBOUR_SAMPLE", 100)
    assert self_similarity(vectors)[0] == mean
    assert sum(self_similarity(vectors)[1]) == 100 * 99 / 2
    assert len(neighbour_similarities(vectors)) == 100


def test_the_floor_of_the_pool_is_held_at_equal_n_and_a_small_pool_passes(run: StageRun) -> None:
    report_pool(run)
    small = checks.vendi_pool_floor(run.warehouse, 20.0)
    assert small.passed and "fewer than 200" in small.description
    run.warehouse.write(
        lambda c: c.execute(
            "INSERT INTO pool_diversity BY NAME SELECT 'vendi_curve' AS metric, 200 AS n, 19.5 AS value"
        )
    )
    assert not checks.vendi_pool_floor(run.warehouse, 20.0).passed
    assert checks.vendi_pool_floor(run.warehouse, 19.0).passed
