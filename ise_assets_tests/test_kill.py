"""Kill the run anywhere, run the same command again: the tables end as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute.normalise import normalise
from ise_assets.warehouse import Warehouse
from ise_assets_tests.pipeline import Home, Start, cold, until, warm

DOMAIN = "file-io"
COMMAND = ("run", "--domains", DOMAIN)
PERSONAS = 10
# What says when and in which run something was written, or how long it took; `provenance` names the runs.
TIMES = {"run_id", "written_at", "duration_s", "duration_ms", "provenance"}
# Where the run's id is in a journaled item.
BODIES = {"simulated_dialogues": "dialogue", "executed_traces": "trace"}
TABLES = {
    "persona_pool": "id",
    "persona_lists": "persona_list",
    "task_catalog": "content_hash",
    "intent_pool": "id",
    "intent_embeddings": "intent_id",
    "deduped_pool": "intent_id",
    "dropped_duplicates": "intent_id",
    "diversity_report": "metric, n",
    "pool_diversity": "metric, n",
    "simulated_dialogues": "id",
    "tool_calls": "dialogue_id, call_index",
    "executed_traces": "dialogue_id",
    "sft_split": "id",
    "sft_dropped": "dialogue_id",
}


@dataclass(frozen=True)
class Moment:
    """When to kill: so long after `step` has begun and then finished `items` more."""

    step: str
    within_s: float
    items: int = 0


# In the graph's order: what is killed later still has work to do. The moments themselves are random.
TWELVE = (
    Moment("persona_pool", 0.3),
    Moment("task_catalog", 0.3),
    Moment("intent_pool", 0.4),
    Moment("intent_embeddings", 2.0),
    Moment("deduped_pool", 0.3),
    Moment("simulated_dialogues", 1.0),
    Moment("simulated_dialogues", 0.8, 2),
    Moment("simulated_dialogues", 0.8, 2),
    Moment("executed_traces", 1.0),
    Moment("executed_traces", 0.8, 2),
    Moment("executed_traces", 0.8, 2),
    Moment("sft_split", 0.2),
)
THIRTY = (
    *(Moment("persona_pool", 0.4),) * 2,
    *(Moment("task_catalog", 0.4),) * 2,
    *(Moment("intent_pool", 0.6),) * 3,
    *(Moment("intent_embeddings", 4.0),) * 3,
    *(Moment("deduped_pool", 0.5),) * 2,
    *(Moment("diversity_report", 1.0),) * 2,
    *(Moment("simulated_dialogues", 1.0, 1),) * 7,
    *(Moment("executed_traces", 1.0, 1),) * 6,
    *(Moment("sft_split", 0.5),) * 2,
    Moment("pool_diversity", 0.8),
)


def test_twelve_kills_at_random_moments_of_all_stages_change_nothing(tmp_path: Path) -> None:
    with warm() as start:
        weather(tmp_path, start, TWELVE, intents_per_persona=6)


@pytest.mark.long
def test_thirty_kills_of_cold_runs_change_nothing(tmp_path: Path) -> None:
    weather(tmp_path, cold, THIRTY, intents_per_persona=18)


def weather(folder: Path, start: Start, moments: Sequence[Moment], intents_per_persona: int) -> None:
    """One run in peace, one killed again and again and then left alone: their tables are the same."""
    seed = int(os.environ.get("ISE_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"seed of the moments: {seed}; ISE_TEST_SEED={seed} repeats them")
    rng = random.Random(seed)
    settings = {"ISE_INTENTS_PER_PERSONA": str(intents_per_persona)}
    calm, stormy = Home(folder / "calm", settings), Home(folder / "stormy", settings)
    for home in (calm, stormy):
        home.write_personas(PERSONAS)
    whole = start(calm, COMMAND)
    made: dict[str, dict[str, str]] = {table: {} for table in BODIES}
    hit = []
    for moment in moments:
        hit.append(kill_at(stormy, start, moment, rng, set(made.get(moment.step, ()))))
        for table, runs in made.items():
            now = runs_of(stormy, table)
            assert {identity: now.get(identity) for identity in runs} == runs, f"{table}: lost, or made twice"
            runs.update(now)
    print(f"killed in: {', '.join(hit)}")
    last = start(stormy, COMMAND)
    assert last.wait() == 0, last.output
    assert whole.wait() == 0, whole.output
    assert len(hit) == len(moments) >= 10
    assert set(BODIES) <= set(hit) and len(set(hit)) >= 5, hit  # a short step may end before its moment comes
    expected, found = tables(Warehouse(calm.warehouse)), tables(Warehouse(stormy.warehouse))
    assert {name: len(rows) for name, rows in found.items()} == {name: len(rows) for name, rows in expected.items()}
    for table in TABLES:
        assert found[table] == expected[table], table
    assert len(expected["sft_split"]) >= 8
    for table, runs in made.items():
        now = runs_of(stormy, table)
        assert {identity: now[identity] for identity in runs} == runs, f"{table}: finished work was done again"
        assert len(set(now.values())) >= 3, f"{table}: too few of the kills fell into its work"
    waiting = {table: stormy.journaled(table, DOMAIN) for table in ("intent_pool", "intent_embeddings", *BODIES)}
    assert not any(waiting.values()), waiting
    assert not [*stormy.data.rglob("*.part"), *stormy.data.rglob("*.tmp")]
    # Dagster does not go on showing the killed ones as running
    assert (stormy.runs("CANCELED"), stormy.runs("STARTED")) == (len(hit), 0)


def kill_at(home: Home, start: Start, moment: Moment, rng: random.Random, finished: set[str]) -> str:
    """Start the run, kill it at that moment, see that nothing stays behind; returns the step that it was in."""
    known = home.run_records()
    run = start(home, COMMAND)

    def reached() -> bool:
        assert run.alive(), f"the run ended before {moment}:\n{run.output}"
        if moment.step not in home.steps_begun(known):
            return False
        return not moment.items or len(home.journaled(moment.step, DOMAIN).keys() - finished) >= moment.items

    until(reached, 180)
    time.sleep(rng.uniform(0, moment.within_s))
    step = home.steps_begun(known)[-1]
    assert run.alive(), f"the run ended before it could be killed at {moment}:\n{run.output}"
    family = run.kill()
    assert run.wait() == -signal.SIGKILL
    until(lambda: not family.left(), 10)
    return step


def runs_of(home: Home, table: str) -> dict[str, str]:
    """By id, which run has made each finished session or trace, be it in the warehouse or still in the journal."""
    warehouse = Warehouse(home.warehouse)
    identity = "id" if table == "simulated_dialogues" else "dialogue_id"
    stored = {row["id"]: row["run_id"] for row in warehouse.rows(f"SELECT {identity} AS id, run_id FROM {table}")}
    waiting = {key: body[BODIES[table]]["run_id"] for key, body in home.journaled(table, DOMAIN).items()}
    return {**stored, **waiting}


def tables(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    """What must be equal of all tables."""
    return {
        table: [
            {name: comparable(name, value) for name, value in row.items() if name not in TIMES | hidden(table)}
            for row in warehouse.rows(f"SELECT * FROM {table} ORDER BY {order}")
        ]
        for table, order in TABLES.items()
    }


def hidden(table: str) -> set[str]:
    """Of what is made from a session the spec hash covers the session's body, its durations among it."""
    return {"spec_hash"} if table in ("tool_calls", "executed_traces", "sft_split") else set()


def comparable(name: str, value: Any) -> Any:
    """The value without clocks, durations and temporary names."""
    if name == "calls":
        untimed = [
            {k: v for k, v in call.items() if k not in ("offset_s", "duration_ms")} for call in json.loads(value)
        ]
        return normalise(json.dumps(untimed))[0]
    return normalise(value)[0] if isinstance(value, str) else value
