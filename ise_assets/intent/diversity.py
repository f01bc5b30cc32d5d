"""How diverse the kept intents are: Vendi Score, Distinct-n, similarities, coverage; as rows, a page and pictures.

The Vendi Score (Friedman & Dieng 2023) is the exponential of the entropy of the eigenvalues of K / n; with a cosine kernel on unit
vectors X these are the eigenvalues of X^T X / n, d x d however large n is. It grows with n: only equal n compares.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from ise_assets.intent.dedup import BLOCK, matrix_of
from ise_assets.intent.embedding import Vectors
from ise_assets.intent.models import DOMAINS, TIERS, content_hash
from ise_assets.stage import StageRun
from ise_assets.warehouse import replace_rows, rows_to_arrow, sql

DIVERSITY_VERSION = 2
CURVE = (200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
ISE_CURVE = {200: 40.7, 500: 51.3, 1_000: 56.0, 2_000: 59.0, 5_000: 60.5, 10_000: 61.3, 20_000: 61.4, 43_956: 61.57}
"""ISE's published curve (arXiv 2606.11520), read off the figure."""

ORDERS: tuple[float, ...] = (0.5, 1.0, 2.0, float("inf"))
_SEEDS = 5
_MANY = 4
_NEIGHBOUR_SAMPLE = 4_000
_PERCENTILES = (5, 25, 50, 75, 95, 99, 100)
_BINS = np.linspace(-0.2, 1.0, 49)
_POINTS = 2_000
"""Intents on the map, about: with many more a picture outgrows what the web UI takes (100 kB)."""
_AT_MOST = 1_000
"""Domains are compared at the size of the smallest, or at this many intents."""


def vendi(vectors: npt.NDArray[np.floating[Any]], q: float = 1.0) -> float:
    """Vendi Score of order `q` of unit vectors [n, d], or of the `_few_rows` that stand for them; 0 for none."""
    if not len(vectors):
        return 0.0
    from vendi_score import vendi as score

    order: Any = "inf" if q == float("inf") else int(q) if q == int(q) else q
    return float(score.score_dual(_few_rows(vectors), q=order, normalize=False))


def _few_rows(vectors: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """The vectors; of many, d rows that have the same score: the products are made block by block, and only their spectrum matters."""
    n, d = vectors.shape
    if n <= _MANY * d:
        return np.asarray(vectors, dtype=np.float64)
    gram = np.zeros((d, d))
    for start in range(0, n, BLOCK):
        block = vectors[start : start + BLOCK]
        gram += block.T @ block
    spectrum = np.linalg.eigvalsh(gram).clip(min=0.0)
    return np.diag(np.sqrt(spectrum * (d / n)))


def vendi_at(vectors: Vectors, n: int, seeds: int = _SEEDS) -> tuple[float, float, float]:
    """(mean, lowest, highest) Vendi Score of `n` rows drawn without replacement, over `seeds` draws."""
    draws = 1 if n >= len(vectors) else seeds
    scores = [
        vendi(vectors[np.random.default_rng(seed).choice(len(vectors), min(n, len(vectors)), replace=False)])
        for seed in range(draws)
    ]
    return float(np.mean(scores)), min(scores), max(scores)


def distinct(texts: Sequence[str], n: int) -> float:
    """Distinct-n: unique n-grams of words over all n-grams (Li et al. 2016)."""
    grams: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        words = re.findall(r"\w+", text.casefold())
        grams.update(zip(*(words[i:] for i in range(n)), strict=False))
    total = sum(grams.values())
    return len(grams) / total if total else 0.0


def neighbour_similarities(vectors: Vectors) -> Vectors:
    """Cosine of each row's nearest other row; of a fixed sample where there are many."""
    if len(vectors) < 2:
        return np.zeros(0, dtype=np.float32)
    rows = np.arange(len(vectors))
    if len(rows) > _NEIGHBOUR_SAMPLE:
        rows = np.sort(np.random.default_rng(0).choice(rows, _NEIGHBOUR_SAMPLE, replace=False))
    nearest = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 1024):
        block = rows[start : start + 1024]
        product = vectors[block] @ vectors.T
        product[np.arange(len(block)), block] = -1
        nearest[start : start + 1024] = product.max(axis=1)
    return nearest


def self_similarity(vectors: Vectors) -> tuple[float, list[int]]:
    """Mean cosine of all pairs, and how many pairs fall into each of `_BINS`; of a fixed sample where there are many rows."""
    n = len(vectors)
    if n < 2:
        return 0.0, [0] * (len(_BINS) - 1)
    total = vectors.sum(axis=0, dtype=np.float64)
    mean = (float(total @ total) - n) / (n * (n - 1))
    if n > _NEIGHBOUR_SAMPLE:
        vectors = vectors[np.sort(np.random.default_rng(0).choice(n, _NEIGHBOUR_SAMPLE, replace=False))]
    counts = np.zeros(len(_BINS) - 1, dtype=np.int64)
    for start in range(0, len(vectors), 1024):
        product = vectors[start : start + 1024] @ vectors[start:].T
        pairs = product[np.triu_indices(len(product), 1, product.shape[1])]
        counts += np.histogram(pairs.clip(_BINS[0], _BINS[-1]), _BINS)[0]
    return mean, counts.tolist()


def report_domain(run: StageRun, domain: str) -> dict[str, Any]:
    """The diversity_report asset's work: one row per metric of the domain's kept intents."""
    pool = _kept(run, domain)
    nearest = neighbour_similarities(pool["vectors"])
    metrics = _metrics(pool, nearest)
    stamp = {
        "domain": domain,
        "run_id": run.run_id,
        "spec_hash": content_hash("diversity", DIVERSITY_VERSION, run.settings.embedding_model, pool["ids"]),
        "written_at": datetime.now(UTC),
    }
    rows = [{**metric, "detail": json.dumps(metric["detail"]), **stamp} for metric in metrics]

    def put(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(sql("intent/delete_diversity_report"), {"domain": domain})
        replace_rows(
            connection,
            "diversity_report",
            rows_to_arrow("diversity_report", rows),
            ["domain", "metric", "n"],
        )

    run.warehouse.write(put)
    return {**_flat(metrics), "picture_png_base64": _histogram(nearest, metrics, domain)}


def report_pool(run: StageRun) -> dict[str, Any]:
    """The pool_diversity asset's work: the whole kept pool's metrics, its curve beside ISE's, and the page."""
    pool = _kept(run, None)
    metrics = _metrics(pool, neighbour_similarities(pool["vectors"]))
    total = len(pool["ids"])
    for n in [*(n for n in CURVE if n < total), *([total] if total else [])]:
        mean, low, high = vendi_at(pool["vectors"], n)
        metrics.append(
            {
                "metric": "vendi_curve",
                "n": n,
                "value": mean,
                "detail": {"low": low, "high": high, "ise": ISE_CURVE.get(n)},
            }
        )
    per_domain = Counter(pool["domains"])
    metrics.append({"metric": "domains", "n": total, "value": float(len(per_domain)), "detail": dict(per_domain)})
    metrics += _of_domains(pool, per_domain)
    stamp = {"run_id": run.run_id, "written_at": datetime.now(UTC)}
    rows = [{**metric, "detail": json.dumps(metric["detail"]), **stamp} for metric in metrics]

    def put(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(sql("intent/delete_pool_diversity"))
        replace_rows(connection, "pool_diversity", rows_to_arrow("pool_diversity", rows), ["metric", "n"])

    run.warehouse.write(put)
    picture = _map_and_curve(pool, metrics)
    page = _write_page(run.settings.reports_dir / "diversity.html", pool, metrics, picture)
    return {**_flat(metrics), "report": str(page.absolute()), "picture_png_base64": picture}


def _kept(run: StageRun, domain: str | None) -> dict[str, Any]:
    table = run.warehouse.table(sql("intent/select_kept"), {"model": run.settings.embedding_model, "domain": domain})
    return {
        "ids": table.column("intent_id").to_pylist(),
        "texts": table.column("utterance").to_pylist(),
        "domains": table.column("domain").to_pylist(),
        "personas": table.column("persona_id").to_pylist(),
        "tasks": table.column("tasks").to_pylist(),
        "tiers": table.column("complexity").to_pylist(),
        "vectors": matrix_of(table),
    }


def _metrics(pool: dict[str, Any], nearest: Vectors) -> list[dict[str, Any]]:
    vectors, texts, n = pool["vectors"], pool["texts"], len(pool["ids"])
    metrics: list[dict[str, Any]] = [{"metric": "intents", "n": n, "value": float(n), "detail": {}}]
    few = _few_rows(vectors)  # once for all orders
    for q in ORDERS:
        name = "vendi" if q == 1.0 else f"vendi_q{q:g}"
        metrics.append({"metric": name, "n": n, "value": vendi(few, q), "detail": {"q": str(q)}})
    metrics += [
        {"metric": f"distinct_{size}", "n": n, "value": distinct(texts, size), "detail": {}} for size in (1, 2, 3)
    ]
    for percentile in _PERCENTILES:
        value = float(np.percentile(nearest, percentile)) if len(nearest) else 0.0
        metrics.append({"metric": f"neighbour_p{percentile}", "n": n, "value": value, "detail": {}})
    mean, pairs = self_similarity(vectors)
    detail = {"edges": [round(float(edge), 4) for edge in _BINS], "pairs": pairs}
    metrics.append({"metric": "self_similarity", "n": n, "value": mean, "detail": detail})
    return metrics + _coverage(pool)


def _coverage(pool: dict[str, Any]) -> list[dict[str, Any]]:
    """How many personas, scenarios and tiers occur, and how many of their pairs: `possible` of those that occur at all."""
    personas, domains, tiers = pool["personas"], pool["domains"], pool["tiers"]
    tasks = [(row, task) for row, found in enumerate(pool["tasks"]) for task in found]
    single = {"personas": Counter(personas), "tasks": Counter(task for _, task in tasks), "tiers": Counter(tiers)}
    paired: dict[str, tuple[Counter[tuple[str, str]], int]] = {
        "persona_domain": (Counter(zip(personas, domains, strict=True)), len(single["personas"]) * len(set(domains))),
        "persona_task": (
            Counter((personas[row], task) for row, task in tasks),
            len(single["personas"]) * len(single["tasks"]),
        ),
        "domain_tier": (Counter(zip(domains, tiers, strict=True)), len(set(domains)) * len(single["tiers"])),
        "task_tier": (Counter((task, tiers[row]) for row, task in tasks), len(single["tasks"]) * len(single["tiers"])),
    }
    n = len(pool["ids"])
    rows: list[dict[str, Any]] = []
    for name, counts in single.items():
        detail: dict[str, Any] = {} if name == "personas" else dict(sorted(counts.items()))
        rows.append({"metric": f"coverage_{name}", "n": n, "value": float(len(counts)), "detail": detail})
    for name, (pairs, possible) in paired.items():
        detail = {"possible": possible}
        if name == "domain_tier":
            detail["cells"] = {f"{domain} / {tier}": count for (domain, tier), count in sorted(pairs.items())}
        rows.append({"metric": f"coverage_{name}", "n": n, "value": float(len(pairs)), "detail": detail})
    return rows


def _of_domains(pool: dict[str, Any], sizes: Counter[str]) -> list[dict[str, Any]]:
    """Each domain's Vendi Score: of all its intents, and at equal n."""
    if not sizes:
        return []
    equal, where = min(_AT_MOST, *sizes.values()), {}
    for domain in sorted(sizes):
        vectors = pool["vectors"][np.array([name == domain for name in pool["domains"]])]
        where[domain] = {"all": round(vendi(vectors), 3), "at_equal_n": round(vendi_at(vectors, equal)[0], 3)}
    lowest = min(found["at_equal_n"] for found in where.values())
    return [{"metric": "vendi_of_domains", "n": equal, "value": lowest, "detail": where}]


def _flat(metrics: Sequence[dict[str, Any]]) -> dict[str, Any]:
    flat = {m["metric"]: round(m["value"], 4) for m in metrics if m["metric"] != "vendi_curve"}
    curve = {str(m["n"]): round(m["value"], 2) for m in metrics if m["metric"] == "vendi_curve"}
    return {**flat, **({"vendi_curve": curve} if curve else {})}


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    return pyplot.subplots(1, columns, figsize=(width, height), squeeze=False)


def _png(figure: Any, dpi: int = 90) -> str:
    from matplotlib import pyplot

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
    pyplot.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()


def _histogram(nearest: Vectors, metrics: Sequence[dict[str, Any]], domain: str) -> str:
    figure, axes = _figure(9, 2.6, 2)
    left, right = axes[0]
    left.hist(nearest, bins=30, range=(0, 1), color="#3b6ea5")
    left.set(title=f"{domain}: nearest neighbour", xlabel="cosine", ylabel="intents")
    _draw_pairs(right, metrics)
    return _png(figure)


def _draw_pairs(axes: Any, metrics: Sequence[dict[str, Any]]) -> None:
    (found,) = (metric for metric in metrics if metric["metric"] == "self_similarity")
    axes.stairs(found["detail"]["pairs"], found["detail"]["edges"], fill=True, color="#7f9f7f")
    axes.set(title=f"all pairs (mean {found['value']:.2f})", xlabel="cosine", ylabel="pairs", yticks=[])


def _map_and_curve(pool: dict[str, Any], metrics: Sequence[dict[str, Any]]) -> str:
    from matplotlib import colormaps

    figure, axes = _figure(15, 4.4, 3)
    left, right, pairs = axes[0]
    vectors = pool["vectors"]
    if len(vectors) > 2:
        centred = vectors - vectors.mean(axis=0)
        _, _, basis = np.linalg.svd(centred[:: max(1, len(centred) // 4000)], full_matrices=False)
        points = centred @ basis[:2].T
        shown = np.random.default_rng(0).random(len(points)) < _POINTS / len(points)
        for number, domain in enumerate(DOMAINS):
            chosen = shown & np.array([where == domain for where in pool["domains"]])
            left.scatter(*points[chosen].T, s=10, alpha=0.75, color=colormaps["tab10"](number), label=domain)
        left.legend(fontsize=6.5, loc="best", framealpha=0.6)
    left.set(title="kept intents, first two principal components", xticks=[], yticks=[])
    curve = [
        (m["n"], m["value"], m["detail"]["low"], m["detail"]["high"]) for m in metrics if m["metric"] == "vendi_curve"
    ]
    right.plot(list(ISE_CURVE), list(ISE_CURVE.values()), "o--", color="#999999", label="ISE (published)")
    if curve:
        sizes, means, lows, highs = zip(*curve, strict=True)
        right.fill_between(sizes, lows, highs, color="#c0392b", alpha=0.2, lw=0)
        right.plot(sizes, means, "o-", color="#c0392b", label=f"this pool (lowest to highest of {_SEEDS} draws)")
    right.set(xscale="log", xlabel="intents", ylabel="Vendi Score (q = 1)", title="diversity at equal size")
    right.legend()
    _draw_pairs(pairs, metrics)
    return _png(figure, dpi=72)


def _write_page(path: Path, pool: dict[str, Any], metrics: Sequence[dict[str, Any]], picture: str) -> Path:
    rows = "".join(
        f"<tr><td>{html.escape(m['metric'])}</td><td class=n>{m['n']:,}</td><td class=n>{_number(m['value'])}</td>"
        f"<td class=n>{_beside(m)}</td></tr>"
        for m in metrics
    )
    by_name: dict[str, Any] = {m["metric"]: m for m in metrics}
    scores = by_name.get("vendi_of_domains", {"n": 0, "detail": {}})
    cells = by_name["coverage_domain_tier"]["detail"].get("cells", {})
    domains = (
        f"<tr><th>domain</th><th class=n>intents</th>{''.join(f'<th class=n>{tier}</th>' for tier in TIERS)}"
        f"<th class=n>Vendi</th><th class=n>Vendi at {scores['n']:,}</th></tr>"
    ) + "".join(
        f"<tr><td>{html.escape(name)}</td><td class=n>{count:,}</td>"
        + "".join(f"<td class=n>{cells.get(f'{name} / {tier}', 0):,}</td>" for tier in TIERS)
        + f"<td class=n>{scores['detail'][name]['all']:.1f}</td><td class=n>{scores['detail'][name]['at_equal_n']:.1f}</td></tr>"
        for name, count in sorted(Counter(pool["domains"]).items())
    )
    samples = "".join(
        f"<li>{html.escape(text)}</li>" for text in pool["texts"][:: max(1, len(pool["texts"]) // 12)][:12]
    )
    body = _PAGE.format(picture=picture, rows=rows, domains=domains, samples=samples, total=f"{len(pool['ids']):,}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(body, encoding="utf-8")
    part.replace(path)
    return path


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def _beside(metric: dict[str, Any]) -> str:
    """What a value is to be held against: ISE's, or how many there could be."""
    if metric["metric"] == "vendi_curve" and metric["detail"]["ise"]:
        return f"ISE {metric['detail']['ise']:g}"
    return f"of {metric['detail']['possible']:,}" if "possible" in metric["detail"] else ""


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Diversity of the intent pool</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
img {{ max-width: 100%; }} table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: left; }}
.n {{ text-align: right; font-variant-numeric: tabular-nums; }} .side {{ display: flex; gap: 3rem; flex-wrap: wrap; }} li {{ margin: .4rem 0; }}
</style>
<h1>Diversity of the intent pool</h1>
<p>{total} kept intents. The Vendi Score grows with the number of intents, so it compares with ISE's only at equal n.</p>
<img alt="map of the pool and Vendi curve" src="data:image/png;base64,{picture}">
<div class="side"><section><h2>Metrics</h2><table><tr><th>metric</th><th class=n>n</th><th class=n>value</th><th></th></tr>{rows}</table></section>
<section><h2>Domains</h2><table>{domains}</table></section></div>
<h2>Some utterances</h2><ul>{samples}</ul>
</html>
"""
