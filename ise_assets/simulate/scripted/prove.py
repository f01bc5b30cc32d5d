"""Proof of scenarios in real workspaces: what the catalogue promises is tried out, seed by seed.

Checks fail before and hold after the solution; guards hold and break on their violation; slips really fail and recover; other ways
are accepted, wrong ones rejected; two runs of the solution look alike; and no call names a path that neither the user said nor an
earlier result showed.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ise_assets.execute.acceptance import is_accepted, run_checks
from ise_assets.execute.models import CheckResult, ToolResult, WorkspaceError
from ise_assets.execute.normalise import normalise
from ise_assets.execute.seed import plant
from ise_assets.execute.tools import call_tool
from ise_assets.execute.workspace import Backend, Limits, Workspace, open_backend
from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import REGISTERS, Intent, Step, Task, TaskInstance, content_hash
from ise_assets.intent.pool import acceptance_of, subgoals_of
from ise_assets.intent.template import HOME, TemplateError, context_of, draw, render
from ise_assets.settings import Settings, load_settings
from ise_assets.simulate.scripted.teacher import captures, tool_call, with_slip

_PATH = re.compile(r"/home/user(?:/[^\s'\"`;|&<>()\[\]{}$*?,:=\\]+)+")


@dataclass
class Proof:
    """What was found wrong with one scenario at one seed; nothing, when it holds."""

    task: str
    seed: int
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.problems


@dataclass
class _Played:
    """One way played in a fresh workspace."""

    before: list[CheckResult]
    after: list[CheckResult]
    accepted: bool
    results: list[tuple[Step, ToolResult]]
    problems: list[str]


def intent_of(task: Task, seed: int) -> Intent:
    """An intent of this one scenario, its parameters drawn with `seed`."""
    identity = content_hash("proof", task.name, seed)
    params = draw(task.params, random.Random(f"params {identity}"))
    ports = {label: 8100 + 7 * number for number, label in enumerate(task.ports)}
    root = f"{HOME}/{str(render(task.root, params)).strip('/')}"
    instance = TaskInstance(task=task.name, scenario_hash=task.content_hash, params=params, root=root, ports=ports)
    return Intent(
        id=identity,
        persona_id="proof",
        persona_list="",
        domain=task.domain,
        domains=(task.domain,),
        tasks=(task.name,),
        complexity="simple",
        utterance="",
        seed=(instance,),
        subgoals=tuple(subgoals_of(task, instance, 0, "plain", identity)),
        acceptance=tuple(acceptance_of(task, instance, 0)),
        scenario_hashes={task.name: task.content_hash},
        writer_model="",
        spec_hash="",
    )


async def prove(task: Task, seed: int, backend: Backend, settings: Settings) -> Proof:
    """Try out everything a scenario promises, in as many fresh workspaces as it takes."""
    proof = Proof(task.name, seed)
    try:
        await _prove(task, intent_of(task, seed), backend, settings, proof)
    except (WorkspaceError, TemplateError) as error:
        proof.problems.append(f"{type(error).__name__}: {error}")
    return proof


async def _prove(task: Task, intent: Intent, backend: Backend, settings: Settings, proof: Proof) -> None:
    context = context_of(task, intent.seed[0].params, intent.seed[0].root, intent.seed[0].ports)
    for register in REGISTERS:
        subgoals_of(task, intent.seed[0], 0, register, intent.id)
    render(list(task.aim), context)
    guards = {entry["key"]: entry for entry in intent.acceptance if entry["guard"]}

    first = await _play(task, intent, task.solution, backend, settings)
    proof.problems += [f"solution: {problem}" for problem in first.problems]
    for result in first.before:
        if result.held is not (result.name in guards):
            word = "guard fails" if result.name in guards else "check already holds"
            proof.problems.append(f"fresh seed: {word}: {_shown(intent, result)}")
    proof.problems += [f"solution: not held: {_shown(intent, r)}" for r in first.after if not r.held]
    second = await _play(task, intent, task.solution, backend, settings)
    for (step, one), (_, other) in zip(first.results, second.results, strict=False):
        if _same(one) != _same(other):
            proof.problems.append(f"two runs differ: {step.kind} {str(getattr(step, step.kind))[:80]!r}")
    for number, way in enumerate(task.other_ways):
        played = await _play(task, intent, {**task.solution, **way}, backend, settings)
        proof.problems += [f"other_ways[{number}]: {problem}" for problem in played.problems]
        proof.problems += [f"other_ways[{number}]: not held: {_shown(intent, r)}" for r in played.after if not r.held]
    for number, wrong in enumerate(task.wrong_ways):
        base = task.solution if wrong.after == "solution" else {}
        played = await _play(task, intent, base, backend, settings, extra=wrong.steps)
        if played.accepted:
            proof.problems.append(f"wrong_ways[{number}] is accepted: {wrong.why}")
    for number, slip in enumerate(task.slips):
        way = {**task.solution, slip.at: with_slip(task.solution[slip.at], slip)}
        played = await _play(task, intent, way, backend, settings)
        proof.problems += [f"slips[{number}]: {problem}" for problem in played.problems]
        proof.problems += [f"slips[{number}]: not held: {_shown(intent, r)}" for r in played.after if not r.held]
        failed = [
            result for step, result in played.results if step.exec == slip.step.exec and step.kind == slip.step.kind
        ]
        if not failed:
            proof.problems.append(f"slips[{number}]: the slip was never called")
        else:
            proof.problems += [f"slips[{number}]: {problem}" for problem in _slip_problems(slip.fails_with, failed[0])]
    for key, guard in guards.items():
        played = await _play(task, intent, {}, backend, settings, extra=[Step(exec=guard["violation"])], raw=True)
        if any(result.held for result in played.after if result.name == key):
            proof.problems.append(f"guard {key} does not break on its violation {guard['violation']!r}")


async def _play(
    task: Task,
    intent: Intent,
    way: Mapping[str, Sequence[Step]],
    backend: Backend,
    settings: Settings,
    extra: Sequence[Step] = (),
    raw: bool = False,
) -> _Played:
    instance = intent.seed[0]
    tasks = {instance.scenario_hash: task}
    context = context_of(task, instance.params, instance.root, instance.ports)
    problems: list[str] = []
    results: list[tuple[Step, ToolResult]] = []
    replies: dict[str, str] = {}
    got: dict[str, str] = {}
    guesses = [slip.step.exec for slip in task.slips]  # a wrong guess is what a slip is
    seen = f"{HOME} {HOME}/memory {' '.join(subgoal['wants'] for subgoal in intent.subgoals)}"
    async with await Workspace.start(backend, Limits.of(settings)) as workspace:
        truths = await plant(workspace, intent, tasks)
        before = await run_checks(workspace, intent, tasks, truths, {}, None)
        await workspace.mark_baseline()
        played = [(subgoal, list(way.get(subgoal["id"], ()))) for subgoal in intent.subgoals]
        if task.verify and way:
            played.append((intent.subgoals[-1], list(task.verify)))
        for subgoal, steps in [*played, (intent.subgoals[-1], list(extra))]:
            seen += "\n" + "\n".join(subgoal["says"])
            for step in steps:
                try:
                    if step.say is not None or step.ask is not None:
                        words = step.say if step.say is not None else step.ask.question  # type: ignore[union-attr]
                        said = str(render(words, {**context, "got": got}))
                        replies[subgoal["key"]] = replies.get(subgoal["key"], "") + "\n" + said
                        if step.ask is not None:
                            fact = task.facts[step.ask.fact]
                            seen += "\n" + str(render(fact.says or fact.value, context))
                            if not said.rstrip().endswith("?"):
                                problems.append(f"a question must end with '?': {said!r}")
                            if step.ask.fact not in subgoal["withheld"]:
                                problems.append(f"{subgoal['key']} does not withhold {step.ask.fact!r}")
                        if "(not found)" in said:
                            problems.append(f"a value was not captured: {said!r}")
                        continue
                    name, arguments = tool_call(step, {**context, "got": got})
                except KeyError as error:
                    problems.append(f"no such fact: {error}")
                    continue
                text = json.dumps(arguments, ensure_ascii=False)
                if not raw and (step.exec is None or step.exec not in guesses):
                    problems += _clairvoyance(arguments, seen, name)
                result = await call_tool(workspace, name, text, call_index=len(results), settings=settings)
                results.append((step, result))
                seen += "\n" + " ".join(str(value) for value in arguments.values()) + "\n" + result.content
                got |= captures(step, result.content)
                code = 0 if result.exit_code is None else result.exit_code
                if not extra and code != step.exit_code:
                    problems.append(f"{name} exits {code}, not {step.exit_code}: {text[:100]}: {result.content[-300:]}")
        after = await run_checks(workspace, intent, tasks, truths, replies, before)
    return _Played(before, after, is_accepted(intent, before, after), results, problems)


def _clairvoyance(arguments: Mapping[str, Any], seen: str, name: str) -> list[str]:
    named = str(arguments.get("command") or arguments.get("path") or arguments.get("url") or "")
    problems = []
    for path in _PATH.findall(named):
        path = path.rstrip("/.")
        parent, _, leaf = path.rpartition("/")
        known = path in seen or (parent in seen and (leaf in seen or name == "write" or ">" in named or leaf == ""))
        if not known and not (
            parent in seen and re.search(r"\b(mkdir|touch|cp|mv|tee|init|clone|tar|zip|-o|open)\b", named)
        ):
            problems.append(f"clairvoyant: {path} was neither said nor shown before {name}")
    return problems


def _slip_problems(expected: Any, result: ToolResult) -> list[str]:
    problems = []
    if expected.exit_code is not None and result.exit_code != expected.exit_code:
        problems.append(f"exits {result.exit_code}, not {expected.exit_code}: {result.content[-200:]}")
    if expected.exit_code is None and result.outcome == "ok":
        problems.append(f"does not fail: {result.content[-200:]}")
    if expected.exit_code == 0:
        problems.append("a slip must really fail: exit code 0 is a success")
    if expected.output and not re.search(expected.output, result.content, re.MULTILINE):
        problems.append(f"its output lacks {expected.output!r}: {result.content[-200:]}")
    return problems


def _same(result: ToolResult) -> tuple[Any, ...]:
    return result.outcome, result.exit_code, normalise(result.content)[0]


def _shown(intent: Intent, result: CheckResult) -> str:
    entry = next(entry for entry in intent.acceptance if entry["key"] == result.name)
    return f"{json.dumps(entry['check'], ensure_ascii=False)[:160]}: {result.evidence[-240:]}"


def main(arguments: Sequence[str]) -> int:
    """`python -m ise_assets.simulate.scripted.prove [NAME ...] [--seeds N]`: 0 when every scenario holds."""
    names = [argument for argument in arguments if not argument.startswith("--")]
    seeds = 1
    if "--seeds" in arguments:
        value = arguments[list(arguments).index("--seeds") + 1]
        names.remove(value)
        seeds = int(value)
    catalog = load_catalog()
    if unknown := [name for name in names if name not in catalog]:
        print(f"no such scenario: {', '.join(unknown)}", file=sys.stderr)
        return 2
    settings = load_settings()
    failed = asyncio.run(_prove_all([catalog[name] for name in names or catalog], seeds, settings))
    return 1 if failed else 0


async def _prove_all(tasks: Sequence[Task], seeds: int, settings: Settings) -> int:
    backend = open_backend(settings.workspace_backend)
    failed = 0
    for task in tasks:
        for seed in range(seeds):
            proof = await prove(task, seed, backend, settings)
            print(f"{'holds' if proof.holds else 'FAILS'}  {task.name} seed {seed}", flush=True)
            for problem in proof.problems:
                print(f"       - {problem}", flush=True)
            failed += not proof.holds
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
