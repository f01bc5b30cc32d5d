"""The labelled near-duplicates: pairs of openings that ask for the same or do not, by how they were made.

    python -m ise_assets_tests.intent.near_duplicates            rewrites near_duplicates.jsonl from the shipped catalogue
    python -m ise_assets_tests.intent.near_duplicates --measure  precision and recall of thresholds (embeds some 600 texts: minutes)

One line a pair: `a`, `b`, `duplicate`, and `kind`:

- `reworded`: the same person, scenarios and parameters, other words around the request. A duplicate.
- `retold`: the same scenarios and parameters, told by another person in their own register. A duplicate.
- `redrawn`: the same person and scenarios, other parameters: other files, names, numbers. None: another workspace, another solution's values.
- `other`: two intents of the same domain. None.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.embedding import Encoder
from ise_assets.intent.models import Persona, Task
from ise_assets.intent.personas import SHIPPED_LISTS, list_files, read_persona_list
from ise_assets.intent.pool import Plan, brief_of, contexts_of, plan_intent
from ise_assets.intent.sampler import instantiate, sample_frame
from ise_assets.intent.writer import compose
from ise_assets.settings import load_settings

FILE = Path(__file__).with_name("near_duplicates.jsonl")
EACH = 100
DUPLICATES = ("reworded", "retold")
SEED = 20260611


def pairs(people: Sequence[Persona], catalog: Mapping[str, Task]) -> Iterator[dict[str, Any]]:
    """`EACH` pairs of each kind."""
    rng = random.Random(SEED)
    shuffled = rng.sample(people, len(people))
    plans = [plan_intent(sample_frame(SEED, one.id, 0), one, catalog) for one in shuffled]
    by_domain: dict[str, list[Plan]] = {}
    for plan in plans:
        by_domain.setdefault(plan.frame.domains[0], []).append(plan)
    for number in range(EACH):
        plan, salt = plans[number], plans[number].frame.intent_id
        text = compose(plan.brief, "a")
        yield _pair("reworded", text, _another(text, plan))
        teller = plans[-1 - number].persona
        yield _pair("retold", text, compose(brief_of(teller, plan.tasks, plan.contexts, salt), "b"))
        again = instantiate(dataclasses.replace(plan.frame, intent_id=f"redrawn {salt}"), plan.tasks)
        yield _pair(
            "redrawn", text, compose(brief_of(plan.persona, plan.tasks, contexts_of(plan.tasks, again), salt), "b")
        )
        other = rng.choice([one for one in by_domain[plan.frame.domains[0]] if one is not plan])
        yield _pair("other", text, compose(other.brief, "b"))


def _another(text: str, plan: Plan) -> str:
    """Other words by the same person: the scripted writer may find the same ones again."""
    found = (compose(plan.brief, f"variant {number}") for number in range(50))
    return next((other for other in found if other != text), text)


def _pair(kind: str, a: str, b: str) -> dict[str, Any]:
    return {"kind": kind, "duplicate": kind in DUPLICATES, "a": a, "b": b}


def load() -> list[dict[str, Any]]:
    """The shipped pairs."""
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def cosines(found: Sequence[dict[str, Any]]) -> np.ndarray:
    """Cosine of each pair's texts, shape (pairs,)."""
    encoder = Encoder(load_settings())
    texts = sorted({text for pair in found for text in (pair["a"], pair["b"])}, key=len)
    vectors: dict[str, Any] = {}
    for start in range(0, len(texts), 32):
        batch = texts[start : start + 32]
        vectors |= dict(zip(batch, encoder.encode(batch), strict=True))
    return np.array([float(np.dot(vectors[pair["a"]], vectors[pair["b"]])) for pair in found])


def quality(found: Sequence[dict[str, Any]], cosine: np.ndarray, threshold: float) -> tuple[float, float]:
    """Precision and recall of "a duplicate from this cosine on"."""
    told = cosine >= threshold
    true = np.array([pair["duplicate"] for pair in found])
    hit = float((told & true).sum())
    return hit / max(float(told.sum()), 1.0), hit / float(true.sum())


def main() -> None:
    """Write or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    if not parser.parse_args().measure:
        people = [persona for path in list_files(SHIPPED_LISTS) for persona in read_persona_list(path).personas]
        lines = [json.dumps(pair, ensure_ascii=False) for pair in pairs(people, load_catalog())]
        FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    found = load()
    cosine = cosines(found)
    print("| threshold | precision | recall |\n|---|---|---|")
    for threshold in (0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99):
        precision, recall = quality(found, cosine, threshold)
        print(f"| {threshold} | {precision:.3f} | {recall:.3f} |")
    for kind in ("reworded", "retold", "redrawn", "other"):
        of_kind = cosine[[pair["kind"] == kind for pair in found]]
        print(kind, "cosine at 5, 50, 95 %:", *(f"{value:.3f}" for value in np.percentile(of_kind, (5, 50, 95))))


if __name__ == "__main__":
    main()
