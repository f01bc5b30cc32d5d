"""The intent pool: every persona's intents of one domain, each written once and never again."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ise_assets.intent.asked import SOMEBODY, asked_intents
from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import Intent, Persona, Register, Task, TaskInstance, content_hash
from ise_assets.intent.persona_pool import load_personas
from ise_assets.intent.personas import register_of
from ise_assets.intent.sampler import SAMPLER_VERSION, Frame, combinations, instantiate, sample_frame, sample_tasks
from ise_assets.intent.template import context_of, render
from ise_assets.intent.writer import Brief, compose, stand_in, write_utterance
from ise_assets.journal import Journal
from ise_assets.llm import Gate, Ledger, ModelFailure, Pace, close_clients
from ise_assets.settings import SCRIPTED_MODEL, Settings
from ise_assets.stage import OUT_OF_TIME, StageRun
from ise_assets.warehouse import Replacement, Warehouse, sql

INTENT_VERSION = 2
_CHUNK = 500
_SCRIPTED_CHUNK = 2_000
"""Intents stored at once; where nothing is paid for, more of them: each store costs DuckDB a twentieth of a second."""
Context = Mapping[str, Any]
"""What a scenario's templates see (`template.context_of`)."""
_SAMPLES = 5


@dataclass(frozen=True)
class Plan:
    """An intent but for its utterance."""

    frame: Frame
    persona: Persona
    tasks: tuple[Task, ...]
    instances: tuple[TaskInstance, ...]
    contexts: tuple[Context, ...]
    brief: Brief


def plan_intent(frame: Frame, persona: Persona, catalog: Mapping[str, Task]) -> Plan:
    """Scenarios, parameters and the writer's brief of one frame."""
    tasks = tuple(sample_tasks(frame, catalog))
    instances = tuple(instantiate(frame, tasks))
    contexts = contexts_of(tasks, instances)
    return Plan(frame, persona, tasks, instances, contexts, brief_of(persona, tasks, contexts, frame.intent_id))


def contexts_of(tasks: Sequence[Task], instances: Sequence[TaskInstance]) -> tuple[Context, ...]:
    """What the templates of each task see."""
    return tuple(context_of(t, x.params, x.root, x.ports) for t, x in zip(tasks, instances, strict=True))


def brief_of(persona: Persona, tasks: Sequence[Task], contexts: Sequence[Context], salt: str) -> Brief:
    """What a writer is told of scenarios with their parameters; `salt` picks among their wordings."""
    register = register_of(persona.communication_style)
    aims = [str(render(_pick(t.aim, salt, t.name), context)) for t, context in zip(tasks, contexts, strict=True)]
    first = subgoals_of(tasks[0], contexts[0], 0, register, salt, 1)[0]
    named = [value for value in first["facts"].values() if value in first["says"][0]]
    return Brief(persona, register, aims, first["says"][0], named)


def subgoals_of(
    task: Task, context: Context, index: int, register: Register, salt: str, most: int | None = None
) -> list[dict[str, Any]]:
    """A scenario's subgoals (the first `most`), rendered in the persona's register; the first of `says` is the one meant."""
    facts = {name: str(context[name]) for name in task.facts}
    rendered = []
    for subgoal in task.subgoals[:most]:
        ways = list(subgoal.says.get(register) or subgoal.says["plain"])
        chosen = _pick(ways, salt, f"{task.name}.{subgoal.id}")
        ways = [chosen, *(way for way in ways if way != chosen)]
        rendered.append(
            {
                "key": f"{index}.{subgoal.id}",
                "task": task.name,
                "task_index": index,
                "id": subgoal.id,
                "wants": render(subgoal.wants, context),
                "says": render(ways, context),
                "withheld": {
                    name: str(render(task.facts[name].says or task.facts[name].value, context))
                    for name in subgoal.withholds
                },
                "facts": facts,
            }
        )
    return rendered


def acceptance_of(task: Task, context: Context, index: int) -> list[dict[str, Any]]:
    """A scenario's checks and guards, rendered but for the truths."""

    def entry(check: Mapping[str, Any], key: str, violation: str | None) -> dict[str, Any]:
        return {
            "key": f"{index}.{key}",
            "task": task.name,
            "task_index": index,
            "guard": violation is not None,
            "violation": render(violation, context) if violation else None,
            "check": render(check, context),
        }

    count = len(task.acceptance)
    checks = [entry(check, f"a{n}", None) for n, check in enumerate(task.acceptance_specs[:count])]
    guards = zip(task.acceptance_specs[count:], task.guards, strict=True)
    return checks + [entry(check, f"g{n}", guard.violation) for n, (check, guard) in enumerate(guards)]


def build_intent(plan: Plan, utterance: str, writer_model: str) -> Intent:
    """The whole intent."""
    pairs = list(zip(plan.tasks, plan.contexts, strict=True))
    register, identity = plan.brief.register, plan.frame.intent_id
    return Intent(
        id=identity,
        persona_id=plan.persona.id,
        persona_list=plan.persona.persona_list,
        domain=plan.frame.domains[0],
        domains=plan.frame.domains,
        tasks=tuple(task.name for task in plan.tasks),
        complexity=plan.frame.tier,
        utterance=utterance,
        seed=plan.instances,
        subgoals=tuple(s for i, (t, c) in enumerate(pairs) for s in subgoals_of(t, c, i, register, identity)),
        acceptance=tuple(a for i, (t, c) in enumerate(pairs) for a in acceptance_of(t, c, i)),
        scenario_hashes={task.name: task.content_hash for task in plan.tasks},
        writer_model=writer_model,
        spec_hash=content_hash("intent_pool", INTENT_VERSION, SAMPLER_VERSION, identity, plan.persona.id),
    )


def write_intents(run: StageRun, domain: str) -> dict[str, Any]:
    """The intent_pool asset's work: sample and write the domain's intents that are not in the pool yet.

    It goes in chunks, each stored in one transaction, so that a pool of any size is never in memory whole. What a model has
    written is journaled at once and stored even when a later call fails for good; the failure is raised after that.

    Raises:
        ModelError, ModelUnavailable: the writer model does not answer; finished utterances are in the pool.
        BudgetSpent: the run has spent what it may; they are, too.
    """
    warehouse, settings = run.warehouse, run.settings
    personas = load_personas(warehouse)
    catalog = load_catalog()
    deadline = time.monotonic() + 60 * settings.max_minutes_per_run if settings.max_minutes_per_run else float("inf")
    tally, pace, gate = _Tally(), Pace(settings.max_writer_calls_per_minute), Gate(max_cost_usd=settings.max_cost_usd)
    with Journal(settings.journals_dir / "intent_pool" / f"{domain}.sqlite") as journal, ThreadPoolExecutor(1) as aside:
        finished = dict(journal.items())  # read first: from here on no other run writes this domain
        known, taken = _in_the_pool(warehouse)
        imported, asked_again = _imported(settings, domain, known, taken)
        # a chunk is stored while the next is made, the imported ones while the frames are drawn
        storing, ids = aside.submit(_store, run, _rows(run, domain, imported), ()), list[str]()
        missing = list(_frames_missing(run, domain, personas, known))
        run.progress(0, len(missing), "intents written")
        chunk = _SCRIPTED_CHUNK if settings.intent_model == SCRIPTED_MODEL else _CHUNK

        def settle() -> None:
            storing.result()
            journal.forget(ids)

        try:
            for start in range(0, len(missing), chunk):
                if time.monotonic() > deadline:
                    break
                plans = [plan_intent(frame, persona, catalog) for frame, persona in missing[start : start + chunk]]
                calls: list[dict[str, Any]] = []
                try:
                    asyncio.run(_write(run, plans, finished, calls, journal, pace, gate, len(missing), start))
                finally:
                    written = deque(plan for plan in plans if plan.frame.intent_id in finished)
                    plans.clear()  # each is let go once its intent is made: a plan is larger than its intent
                    done = [plan.frame.intent_id for plan in written]
                    bodies = [finished.pop(identity) for identity in done]
                    rows = _rows(run, domain, _intents(written, bodies, taken, tally))
                    calls += [call for body in bodies for call in body["calls"]]
                    settle()
                    storing, ids = aside.submit(_store, run, rows, calls), done
        finally:
            settle()
        journal.forget(known & finished.keys())  # a kill came between storing and forgetting
    rows = warehouse.rows(sql("intent/count_intents"), [domain])
    return {
        "intents": sum(row["n"] for row in rows),
        "new_intents": tally.count + len(imported),
        "imported": len(imported),
        "imported_words_in_the_pool_already": asked_again,
        "remaining": len(missing) - tally.count,
        "stopped_by": OUT_OF_TIME if tally.count < len(missing) else None,
        "cost_usd_of_run": gate.spent_usd,
        "personas": len(personas),
        "combinations": combinations(catalog, len(personas)),
        "by_complexity": {row["complexity"]: row["n"] for row in rows},
        "mean_domains": tally.mean("domains"),
        "mean_tasks": tally.mean("tasks"),
        "mean_subgoals": tally.mean("subgoals"),
        "writers": dict(tally.writers),
        "sample_utterances": tally.samples,
    }


@dataclass
class _Tally:
    """What a run says of the intents it has written."""

    count: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    writers: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def add(self, intent: Intent) -> None:
        self.count += 1
        self.sums.update(domains=len(intent.domains), tasks=len(intent.tasks), subgoals=len(intent.subgoals))
        self.writers[intent.writer_model] += 1
        if len(self.samples) < _SAMPLES:
            self.samples.append(intent.utterance)

    def mean(self, name: str) -> float:
        return round(self.sums[name] / self.count, 3) if self.count else 0.0


def _in_the_pool(warehouse: Warehouse) -> tuple[set[str], set[str]]:
    """Ids and utterances of all intents."""
    rows = warehouse.rows(sql("intent/select_intent_texts"))
    return {row["id"] for row in rows}, {row["utterance"] for row in rows}


def _imported(settings: Settings, domain: str, known: Set[str], taken: set[str]) -> tuple[list[Intent], int]:
    """Intents of others that the pool lacks, and how many were left out because their very words are in it."""
    new, again = [], 0
    for intent in asked_intents(settings.intents_dir, domain):
        if intent.id in known:
            continue
        if intent.utterance in taken:
            again += 1
            continue
        taken.add(intent.utterance)
        new.append(intent)
    return new, again


def _frames_missing(
    run: StageRun, domain: str, personas: Sequence[Persona], known: Set[str]
) -> Iterator[tuple[Frame, Persona]]:
    for persona in personas:
        if persona.id == SOMEBODY.id:
            continue  # who asked an imported question is nobody to draw intents for
        for k in range(run.settings.intents_per_persona):
            frame = sample_frame(run.settings.seed, persona.id, k)
            if frame.domains[0] == domain and frame.intent_id not in known:
                yield frame, persona


def count_missing_intents(run: StageRun, domain: str) -> int:
    """How many intents `write_intents` would write for the domain."""
    known, taken = _in_the_pool(run.warehouse)
    drawn = sum(1 for _ in _frames_missing(run, domain, load_personas(run.warehouse), known))
    return drawn + len(_imported(run.settings, domain, known, taken)[0])


def load_intents(warehouse: Warehouse, ids: Sequence[str]) -> list[Intent]:
    """Intents by id, in the order of the ids; unknown ids are left out."""
    rows = {row["id"]: row for row in warehouse.rows(sql("intent/select_intents_by_id"), [list(ids)])}
    return [intent_of_row(rows[identity]) for identity in ids if identity in rows]


def intent_of_row(row: Mapping[str, Any]) -> Intent:
    """An intent from a row of `intent_pool`."""
    decoded = {name: json.loads(row[name]) for name in ("seed", "subgoals", "acceptance", "scenario_hashes")}
    return Intent.model_validate({**row, **decoded})


async def _write(
    run: StageRun,
    plans: Sequence[Plan],
    finished: dict[str, dict[str, Any]],
    calls: list[dict[str, Any]],
    journal: Journal,
    pace: Pace,
    gate: Gate,
    total: int,
    before: int,
) -> None:
    """Utterances of `plans` into `finished`, by intent id; calls that gave none are accounted for in `calls`.

    After the first failure nothing new is asked; what is under way may end, it is paid for.
    """
    places = asyncio.Semaphore(run.settings.max_concurrent_writers)
    failures: list[Exception] = []
    done = before

    async def one(plan: Plan) -> None:
        nonlocal done
        identity = plan.frame.intent_id
        if identity not in finished:
            async with places:
                if failures:
                    return
                ledger = Ledger(gate)
                try:
                    written = await write_utterance(plan.brief, identity, identity, run.settings, ledger, pace)
                except ModelFailure as error:
                    failures.append(error)
                    calls.extend(_ledger_rows(run, plan, ledger))
                    return
                body = {
                    "text": written.text,
                    "writer_model": written.writer_model,
                    "calls": _ledger_rows(run, plan, ledger),
                }
                if run.settings.intent_model != SCRIPTED_MODEL:
                    journal.append(identity, body)
                finished[identity] = body
        done += 1
        run.progress(done, total, "intents written")

    try:
        async with asyncio.TaskGroup() as group:
            for plan in plans:
                group.create_task(one(plan))
    finally:
        await close_clients()
    if failures:
        raise failures[0]


def _ledger_rows(run: StageRun, plan: Plan, ledger: Ledger) -> list[dict[str, Any]]:
    identity = plan.frame.intent_id
    rows = ledger.rows(domain=plan.frame.domains[0], run_id=run.run_id, spec_hash=identity)
    return [{**row, "written_at": row["written_at"].isoformat()} for row in rows]


def _intents(
    plans: deque[Plan], bodies: Sequence[Mapping[str, Any]], taken: set[str], tally: _Tally
) -> Iterator[Intent]:
    """The whole intents, `plans` being used up; an utterance that is taken is worded again by the scripted writer."""
    for body in bodies:
        plan = plans.popleft()
        text, writer, variant = body["text"], body["writer_model"], 0
        while text in taken:
            variant += 1
            text, writer = compose(plan.brief, f"{plan.frame.intent_id} {variant}"), stand_in(body["writer_model"])
        taken.add(text)
        intent = build_intent(plan, text, writer)
        tally.add(intent)
        yield intent


def _rows(run: StageRun, domain: str, intents: Iterable[Intent]) -> list[dict[str, Any]]:
    """Rows of `intent_pool`."""
    stamp = {"domain": domain, "run_id": run.run_id, "written_at": datetime.now(UTC)}
    rows = []
    for intent in intents:
        row = intent.model_dump(mode="json")
        for name in ("seed", "subgoals", "acceptance", "scenario_hashes"):
            row[name] = json.dumps(row[name], ensure_ascii=False)
        rows.append({**row, **stamp})
    return rows


def _store(run: StageRun, rows: Sequence[dict[str, Any]], calls: Sequence[dict[str, Any]]) -> None:
    ledger = [{**call, "written_at": datetime.fromisoformat(call["written_at"])} for call in calls]
    if rows or ledger:
        run.warehouse.replace(Replacement.of("intent_pool", rows, ["id"]), Replacement.of("llm_calls", ledger, ["id"]))


def _pick(items: Sequence[str], *salt: str) -> str:
    return items[int(content_hash(*salt), 16) % len(items)]
