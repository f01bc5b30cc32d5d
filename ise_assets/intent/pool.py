"""The intent pool: every persona's intents of one domain, each written once and never again."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import Check, Intent, Persona, Register, Task, TaskInstance, content_hash
from ise_assets.intent.personas import load_personas, register_of
from ise_assets.intent.sampler import SAMPLER_VERSION, Frame, instantiate, sample_frame, sample_tasks
from ise_assets.intent.template import context_of, render
from ise_assets.intent.writer import Brief, compose, write_utterance
from ise_assets.journal import Journal
from ise_assets.llm import Ledger
from ise_assets.settings import SCRIPTED_MODEL
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow, sql

INTENT_VERSION = 1
_WRITERS_AT_ONCE = 16


@dataclass(frozen=True)
class Plan:
    """An intent but for its utterance."""

    frame: Frame
    persona: Persona
    tasks: tuple[Task, ...]
    instances: tuple[TaskInstance, ...]
    brief: Brief


def plan_intent(frame: Frame, persona: Persona, catalog: Mapping[str, Task]) -> Plan:
    """Scenarios, parameters and the writer's brief of one frame."""
    tasks = tuple(sample_tasks(frame, catalog))
    instances = tuple(instantiate(frame, tasks))
    register = register_of(persona.communication_style)
    aims = []
    for task, instance in zip(tasks, instances, strict=True):
        context = context_of(task, instance.params, instance.root, instance.ports)
        aims.append(str(render(_pick(task.aim, frame.intent_id, task.name), context)))
    first = subgoals_of(tasks[0], instances[0], 0, register, frame.intent_id)[0]
    named = [value for value in first["facts"].values() if value in first["says"][0]]
    return Plan(frame, persona, tasks, instances, Brief(persona, register, aims, first["says"][0], named))


def subgoals_of(task: Task, instance: TaskInstance, index: int, register: Register, salt: str) -> list[dict[str, Any]]:
    """A scenario's subgoals, rendered in the persona's register; the first of `says` is the one meant."""
    context = context_of(task, instance.params, instance.root, instance.ports)
    facts = {name: str(context[name]) for name in task.facts}
    rendered = []
    for subgoal in task.subgoals:
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


def acceptance_of(task: Task, instance: TaskInstance, index: int) -> list[dict[str, Any]]:
    """A scenario's checks and guards, rendered but for the truths."""
    context = context_of(task, instance.params, instance.root, instance.ports)

    def entry(check: Check, key: str, violation: str | None) -> dict[str, Any]:
        given = check.model_dump(mode="json", exclude_none=True)
        return {
            "key": f"{index}.{key}",
            "task": task.name,
            "task_index": index,
            "guard": violation is not None,
            "violation": render(violation, context) if violation else None,
            "check": render(given, context),
        }

    checks = [entry(check, f"a{n}", None) for n, check in enumerate(task.acceptance)]
    return checks + [entry(guard.check, f"g{n}", guard.violation) for n, guard in enumerate(task.guards)]


def build_intent(plan: Plan, utterance: str, writer_model: str) -> Intent:
    """The whole intent."""
    pairs = list(zip(plan.tasks, plan.instances, strict=True))
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
        subgoals=tuple(s for i, (t, x) in enumerate(pairs) for s in subgoals_of(t, x, i, register, identity)),
        acceptance=tuple(a for i, (t, x) in enumerate(pairs) for a in acceptance_of(t, x, i)),
        scenario_hashes={task.name: instance.scenario_hash for task, instance in pairs},
        writer_model=writer_model,
        spec_hash=content_hash("intent_pool", INTENT_VERSION, SAMPLER_VERSION, identity, plan.persona.id),
    )


def write_intents(run: StageRun, domain: str) -> dict[str, Any]:
    """The intent_pool asset's work: sample and write the domain's intents that are not in the pool yet."""
    warehouse, settings = run.warehouse, run.settings
    personas = load_personas(warehouse)
    catalog = load_catalog()
    existing = {row["id"]: row["utterance"] for row in warehouse.rows(sql("intent/select_intent_texts"))}
    frames = [
        (sample_frame(settings.seed, persona.id, k), persona)
        for persona in personas
        for k in range(settings.intents_per_persona)
    ]
    missing = [(f, p) for f, p in frames if f.domains[0] == domain and f.intent_id not in existing]
    run.progress(0, len(missing), "intents written")
    plans = [plan_intent(frame, persona, catalog) for frame, persona in missing]
    journal = Journal(settings.journals_dir / "intent_pool" / f"{domain}.sqlite")
    with journal:
        intents, ledger_rows = asyncio.run(_write_all(run, plans, set(existing.values()), journal))
        _store(run, domain, intents, ledger_rows)
        journal.forget(journal.ids())
    rows = warehouse.rows(sql("intent/count_intents"), [domain])
    return {
        "intents": sum(row["n"] for row in rows),
        "new_intents": len(intents),
        "personas": len(personas),
        "by_complexity": {row["complexity"]: row["n"] for row in rows},
        "mean_domains": _mean([len(i.domains) for i in intents]),
        "mean_tasks": _mean([len(i.tasks) for i in intents]),
        "mean_subgoals": _mean([len(i.subgoals) for i in intents]),
        "writers": dict(Counter(intent.writer_model for intent in intents)),
        "sample_utterances": [intent.utterance for intent in intents[:5]],
    }


def load_intents(warehouse: Warehouse, ids: Sequence[str]) -> list[Intent]:
    """Intents by id, in the order of the ids; unknown ids are left out."""
    rows = {row["id"]: row for row in warehouse.rows(sql("intent/select_intents_by_id"), [list(ids)])}
    return [intent_of_row(rows[identity]) for identity in ids if identity in rows]


def intent_of_row(row: Mapping[str, Any]) -> Intent:
    """An intent from a row of `intent_pool`."""
    decoded = {name: json.loads(row[name]) for name in ("seed", "subgoals", "acceptance", "scenario_hashes")}
    return Intent.model_validate({**row, **decoded})


async def _write_all(
    run: StageRun, plans: Sequence[Plan], taken: set[str], journal: Journal
) -> tuple[list[Intent], list[dict[str, Any]]]:
    finished = dict(journal.items())
    gate = asyncio.Semaphore(_WRITERS_AT_ONCE)
    done = 0

    async def one(plan: Plan) -> dict[str, Any]:
        nonlocal done
        identity = plan.frame.intent_id
        if identity not in finished:
            async with gate:
                ledger = Ledger()
                written = await write_utterance(plan.brief, identity, identity, run.settings, ledger)
                calls = ledger.rows(domain=plan.frame.domains[0], run_id=run.run_id, spec_hash=identity)
                for call in calls:
                    call["written_at"] = call["written_at"].isoformat()
                body = {"text": written.text, "writer_model": written.writer_model, "calls": calls}
                if run.settings.intent_model != SCRIPTED_MODEL:
                    journal.append(identity, body)
                finished[identity] = body
        done += 1
        run.progress(done, len(plans), "intents written")
        return finished[identity]

    intents: list[Intent] = []
    calls: list[dict[str, Any]] = []
    for plan, body in zip(plans, await asyncio.gather(*map(one, plans)), strict=True):
        text, variant = body["text"], 0
        while text in taken:
            variant += 1
            text = compose(plan.brief, f"{plan.frame.intent_id} {variant}")
        taken.add(text)
        intents.append(build_intent(plan, text, body["writer_model"]))
        calls += body["calls"]
    return intents, calls


def _store(run: StageRun, domain: str, intents: Sequence[Intent], calls: Sequence[dict[str, Any]]) -> None:
    stamp = {"domain": domain, "run_id": run.run_id, "written_at": datetime.now(UTC)}
    rows = []
    for intent in intents:
        body = intent.model_dump(mode="json")
        for name in ("seed", "subgoals", "acceptance", "scenario_hashes"):
            body[name] = json.dumps(body[name], ensure_ascii=False)
        rows.append({**body, **stamp})

    def put(connection: duckdb.DuckDBPyConnection) -> None:
        replace_rows(connection, "intent_pool", rows_to_arrow(connection, "intent_pool", rows), ["id"])
        if calls:
            ledger = [{**call, "written_at": datetime.fromisoformat(call["written_at"])} for call in calls]
            replace_rows(connection, "llm_calls", rows_to_arrow(connection, "llm_calls", ledger), ["id"])

    if rows:
        run.warehouse.write(put)


def _pick(items: Sequence[str], *salt: str) -> str:
    return items[int(content_hash(*salt), 16) % len(items)]


def _mean(values: Sequence[int]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0
