"""Proof of scenarios in real workspaces: what the catalogue promises is tried out, seed by seed.

Checks fail before and hold after the solution; guards hold and break on their violation; slips really fail and recover; whatever
the teacher can put together of solution, other ways and slips is accepted, wrong ways are rejected; two runs of the solution look
alike; no call names a path that neither the user said nor an earlier result showed, or a program that the scenario does not require.

A proof tries everything with one draw of the parameters. A fault that only a rare draw shows is found by *rehearsals*: many further
draws, each played once, as a session would play it. What scenarios do to each other in one home directory is found by *compositions*:
whole sessions of intents as the pool draws them, lived and replayed.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Any

from ise_assets.execute.acceptance import is_accepted, run_checks
from ise_assets.execute.models import CheckResult, ToolResult, WorkspaceError
from ise_assets.execute.normalise import normalise
from ise_assets.execute.replay import replay_session
from ise_assets.execute.seed import plant
from ise_assets.execute.tools import call_tool
from ise_assets.execute.workspace import Backend, Limits, Workspace, open_backend
from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import REGISTERS, Intent, Slip, Step, Task, TaskInstance, content_hash
from ise_assets.intent.personas import SHIPPED_LISTS, list_files, read_persona_list
from ise_assets.intent.pool import acceptance_of, build_intent, plan_intent, subgoals_of
from ise_assets.intent.sampler import sample_frame
from ise_assets.intent.template import HOME, TemplateError, context_of, draw, render
from ise_assets.intent.writer import compose
from ise_assets.llm import Ledger
from ise_assets.settings import SCRIPTED_MODEL, Settings, load_settings
from ise_assets.simulate.scripted.provider import register
from ise_assets.simulate.scripted.teacher import captures, tool_call, with_slip
from ise_assets.simulate.session import run_session

REHEARSALS = 10
FIRST_REHEARSAL = 1000
MIN_SLIPS = 2

_QUOTED_PATH = re.compile(r"'(/home/user/[^'\n*?$]+)'")
_PATH = re.compile(r"/home/user(?:/[^\s'\"`;|&<>()\[\]{}$*?,:=\\]+)+")
_HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1(.*)\n(?:.*\n)*?[ \t]*\2[ \t]*$", re.MULTILINE)
_PROGRAM = re.compile(r"[A-Za-z][\w.+-]*")
_PASSED_OVER = re.compile(r"-.*|\d.*|\{\}|[A-Za-z_]\w*=.*", re.DOTALL)
_PREFIX_WORDS = "if then elif else do while until ! { time exec command builtin nohup setsid env nice timeout xargs"
# bash's own words, the programs of coreutils, and setsid, which no Linux lacks
_WORDS_AT_HAND = """
    alias bash bg break builtin case cd command continue declare dirs disown do done echo elif else enable esac eval exec exit
    export false fc fg fi for function getopts hash help if in jobs kill let local mapfile popd printf pushd pwd read readarray
    readonly return select set setsid sh shift shopt source test then time times trap true type typeset ulimit umask unalias
    unset until wait while
    arch b2sum base32 base64 basename basenc cat chgrp chmod chown cksum comm cp csplit cut date dd df dir dircolors dirname du env
    expand expr factor fmt fold groups head id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl nohup
    nproc numfmt od paste pathchk pinky pr printenv ptx readlink realpath rm rmdir seq sha1sum sha224sum sha256sum sha384sum
    sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac tail tee timeout touch tr truncate tsort tty uname unexpand
    uniq unlink users vdir wc who whoami yes
"""
_PREFIXES, _AT_HAND = frozenset(_PREFIX_WORDS.split()), frozenset(_WORDS_AT_HAND.split())
_COMES_WITH = {"gunzip": "gzip", "xargs": "find", "zcat": "gzip"}


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


@dataclass(frozen=True)
class Route:
    """One thing the teacher can play: a way through all subgoals and the slips made on it."""

    name: str
    way: dict[str, list[Step]]
    slips: tuple[Slip, ...] = ()


@dataclass
class _Played:
    """One way played in a fresh workspace."""

    before: list[CheckResult]
    after: list[CheckResult]
    accepted: bool
    results: list[tuple[Step, ToolResult]]
    problems: list[str]


def intent_of(task: Task, seed: int) -> Intent:
    """An intent of this one scenario, its parameters and the user's register drawn with `seed`."""
    identity = content_hash("proof", task.name, seed)
    params = draw(task.params, random.Random(f"params {identity}"))
    ports = {label: 8100 + 7 * number for number, label in enumerate(task.ports)}
    root = f"{HOME}/{str(render(task.root, params)).strip('/')}"
    instance = TaskInstance(task=task.name, scenario_hash=task.content_hash, params=params, root=root, ports=ports)
    context = context_of(task, params, root, ports)
    register = REGISTERS[(REGISTERS.index("plain") + seed) % len(REGISTERS)]
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
        subgoals=tuple(subgoals_of(task, context, 0, register, identity)),
        acceptance=tuple(acceptance_of(task, context, 0)),
        scenario_hashes={task.name: task.content_hash},
        writer_model="",
        spec_hash="",
    )


def routes_of(task: Task) -> list[Route]:
    """Everything the teacher can play: the solution or another way, with or without a slip where the solution is kept."""
    routes = []
    for number, other in enumerate([{}, *task.other_ways]):
        choices: list[list[tuple[str, list[Step], tuple[Slip, ...]]]] = []
        for subgoal in task.subgoals:
            steps = other.get(subgoal.id, task.solution[subgoal.id])
            options: list[tuple[str, list[Step], tuple[Slip, ...]]] = [("", list(steps), ())]
            if steps == task.solution[subgoal.id]:
                options += [
                    (f"slips[{k}]", with_slip(steps, slip), (slip,))
                    for k, slip in enumerate(task.slips)
                    if slip.at == subgoal.id
                ]
            choices.append(options)
        base = f"other_ways[{number - 1}]" if number else ""
        for chosen in product(*choices):
            name = " + ".join(filter(None, [base, *(label for label, _, _ in chosen)]))
            way = {subgoal.id: steps for subgoal, (_, steps, _) in zip(task.subgoals, chosen, strict=True)}
            routes.append(Route(name or "solution", way, tuple(slip for _, _, made in chosen for slip in made)))
    return routes


def programs_of(command: str) -> set[str]:
    """The programs that a command line calls by name, as far as its words tell.

    What stands in quotes, in here-documents or behind a variable is not looked into, and a path is no name.
    """
    text = _HEREDOC.sub(r"\3\n", command).replace("\\\n", " ")
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t", "", True
    found, starts = set(), True
    try:
        for token in lexer:
            if set(token) <= set("();<>|&\n"):
                opens = token.endswith("(") and "((" not in token
                starts = opens or (not set(token) & set("<>(") and bool(set(token) & set(";|&\n")))
            elif starts:
                starts = token in _PREFIXES or bool(_PASSED_OVER.fullmatch(token))
                if _PROGRAM.fullmatch(token):
                    found.add(token)
    except ValueError:  # a quote that shlex sees open and bash does not
        return set()
    return found - set(re.findall(r"(\w+)[ \t]*\(\)", text))


async def rehearse(task: Task, seed: int, backend: Backend, settings: Settings) -> Proof:
    """Play one session's worth: parameters, register and route drawn with `seed`, in one fresh workspace."""
    route = random.Random(f"rehearsal {task.name} {seed}").choice(routes_of(task))
    proof = Proof(task.name, seed)
    try:
        intent = intent_of(task, seed)
        proof.problems += _route_problems(intent, route, await _play(task, intent, route.way, backend, settings))
    except (WorkspaceError, TemplateError) as error:
        proof.problems.append(f"{route.name}: {type(error).__name__}: {error}")
    return proof


async def prove(task: Task, seed: int, backend: Backend, settings: Settings) -> Proof:
    """Try out everything a scenario promises, in as many fresh workspaces as it takes."""
    proof = Proof(task.name, seed)
    try:
        await _prove(task, intent_of(task, seed), backend, settings, proof)
    except (WorkspaceError, TemplateError) as error:
        proof.problems.append(f"{type(error).__name__}: {error}")
    return proof


async def try_composition(number: int, backend: Backend, settings: Settings) -> Proof:
    """A whole session of an intent as the pool draws it, by the scripted teacher: accepted, and the same when replayed."""
    catalog = load_catalog()
    tasks = {task.content_hash: task for task in catalog.values()}
    people = [person for path in list_files(SHIPPED_LISTS) for person in read_persona_list(path).personas]
    persona = random.Random(f"composition {number}").choice(people)
    frame = sample_frame(settings.seed, persona.id, number)
    plan = plan_intent(frame, persona, catalog)
    proof = Proof(" + ".join(task.name for task in plan.tasks), number)
    intent = build_intent(plan, compose(plan.brief, frame.intent_id), SCRIPTED_MODEL)
    limits = Limits.of(settings)
    try:
        dialogue = await run_session(intent, persona, tasks, backend, limits, settings, Ledger(), 0)
        row = dialogue.row(domain=intent.domain, run_id="proof", spec_hash="", written_at=datetime.now(UTC))
        trace = await replay_session(row, intent, tasks, backend, settings)
    except WorkspaceError as error:
        proof.problems.append(f"{type(error).__name__}: {error}")
        return proof
    if dialogue.status != "completed":
        proof.problems.append(f"ends as {dialogue.status}: {dialogue.stop_reason}")
    checks = [*trace.checks, *trace.guards]
    proof.problems += [
        f"not held: {c['task']} {c['name']}: {c['evidence'][:240]}" for c in checks if not c["held_after"]
    ]
    if not trace.accepted and not proof.problems:
        proof.problems.append("not accepted")
    proof.problems += [
        f"does not reproduce: {json.dumps(found, ensure_ascii=False)[:400]}" for found in trace.divergence
    ]
    return proof


async def _prove(task: Task, intent: Intent, backend: Backend, settings: Settings, proof: Proof) -> None:
    instance = intent.seed[0]
    context = context_of(task, instance.params, instance.root, instance.ports)
    for manner in REGISTERS:
        subgoals_of(task, context, 0, manner, intent.id)
    render(list(task.aim), context)
    proof.problems += [*_shape_problems(task), *_unrequired(task, _own_commands(task, context), "seed or check")]
    guards = {entry["key"]: entry for entry in intent.acceptance if entry["guard"]}

    first, *others = routes_of(task)
    played = await _play(task, intent, first.way, backend, settings)
    for result in played.before:
        if result.held is not (result.name in guards):
            word = "guard fails" if result.name in guards else "check already holds"
            proof.problems.append(f"fresh seed: {word}: {_shown(intent, result)}")
    proof.problems += _route_problems(intent, first, played)
    again = await _play(task, intent, first.way, backend, settings)
    for (step, one), (_, other) in zip(played.results, again.results, strict=False):
        if _same(one) != _same(other):
            proof.problems.append(f"two runs differ: {step.kind} {str(getattr(step, step.kind))[:80]!r}")
    for route in others:
        played = await _play(task, intent, route.way, backend, settings)
        proof.problems += _route_problems(intent, route, played)
    for number, wrong in enumerate(task.wrong_ways):
        base = task.solution if wrong.after == "solution" else {}
        played = await _play(task, intent, base, backend, settings, extra=wrong.steps)
        # what was never said is no reason: the state that the wrong way leaves must be found wrong
        silent = not any(step.say for step in wrong.steps)
        if all(result.held for result in played.after if not (silent and result.kind == "reply")):
            proof.problems.append(f"wrong_ways[{number}] is accepted: {wrong.why}")
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
    guesses = [slip.step for slip in task.slips]  # a wrong guess is what a slip is
    seen = f"{HOME} {HOME}/memory"
    async with await Workspace.start(backend, Limits.of(settings)) as workspace:
        truths = await plant(workspace, intent, tasks)
        before = await run_checks(workspace, intent, tasks, truths, {}, None)
        await workspace.mark_baseline()
        played = [(subgoal, list(way.get(subgoal["id"], ()))) for subgoal in intent.subgoals]
        if task.verify and way:
            played.append((intent.subgoals[-1], list(task.verify)))
        for subgoal, steps in [*played, (intent.subgoals[-1], list(extra))]:
            seen += "\n" + subgoal["says"][0]
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
                if not raw and not any(_same_call(step, guess) for guess in guesses):
                    problems += _clairvoyance(arguments, seen, name)
                    problems += _unrequired(task, [str(arguments.get("command", ""))], name)
                result = await call_tool(workspace, name, text, call_index=len(results), settings=settings)
                results.append((step, result))
                seen += "\n" + " ".join(str(value) for value in arguments.values()) + "\n" + result.content
                got |= captures(step, result.content)
                code = 0 if result.exit_code is None else result.exit_code
                if not extra and code != step.exit_code:
                    problems.append(f"{name} exits {code}, not {step.exit_code}: {text[:100]}: {result.content[-300:]}")
        after = await run_checks(workspace, intent, tasks, truths, replies, before)
    return _Played(before, after, is_accepted(intent, before, after) is True, results, problems)


def _clairvoyance(arguments: Mapping[str, Any], seen: str, name: str) -> list[str]:
    named = str(arguments.get("command") or arguments.get("path") or arguments.get("url") or "")
    problems = []
    for path in [*_QUOTED_PATH.findall(named), *_PATH.findall(_QUOTED_PATH.sub("", named))]:
        path = path.rstrip("/.")
        parent, _, leaf = path.rpartition("/")
        known = _joined(path, seen) or (parent in seen and (">" in named or leaf == ""))
        known = known or (name == "write" and any(folder in seen for folder in _folders(path)))
        if not known and not (
            parent in seen and re.search(r"\b(mkdir|touch|cp|mv|tee|init|clone|tar|zip|-o|open)\b", named)
        ):
            problems.append(f"clairvoyant: {path} was neither said nor shown before {name}")
    return problems


def _joined(path: str, seen: str) -> bool:
    """Whether the path, or a folder and the rest of the path below it, were seen."""
    return path in seen or any(folder in seen and path.removeprefix(f"{folder}/") in seen for folder in _folders(path))


def _folders(path: str) -> list[str]:
    """The folders above the path, those below the home directory alone."""
    return [path[:place] for place, character in enumerate(path) if character == "/" and place > len(HOME)]


def _shape_problems(task: Task) -> list[str]:
    problems = []
    if len({(slip.at, slip.before) for slip in task.slips}) < MIN_SLIPS:
        problems.append(f"slips: fewer than {MIN_SLIPS} different places, so all failures would be the same one")
    problems += [
        f"subgoal {subgoal.id} says nothing in register {register}"
        for subgoal in task.subgoals
        for register in REGISTERS
        if not subgoal.says.get(register)
    ]
    return problems


def _own_commands(task: Task, context: Mapping[str, Any]) -> Iterator[str]:
    """The shell commands with which a scenario seeds and checks itself, and breaks its guards."""
    for step in task.seed:
        yield str(render(step.run or (step.service.command if step.service else ""), context))
    for check in [*task.acceptance, *(guard.check for guard in task.guards)]:
        yield str(render(check.command.run if check.command else "", context))
    for guard in task.guards:
        yield str(render(guard.violation, context))


def _unrequired(task: Task, commands: Iterable[str], where: str) -> list[str]:
    called = set().union(*map(programs_of, commands)) - _AT_HAND
    needed = {_COMES_WITH.get(program, program) for program in called} - set(task.requires)
    return [f"{where} calls {program}, which `requires` does not list" for program in sorted(needed)]


def _route_problems(intent: Intent, route: Route, played: _Played) -> list[str]:
    problems = [
        *played.problems,
        *(f"not held: {_shown(intent, result)}" for result in played.after if not result.held),
    ]
    for slip in route.slips:
        tried = [result for step, result in played.results if _same_call(step, slip.step)]
        problems += _slip_problems(slip.fails_with, tried[0]) if tried else ["the slip was never called"]
    return [f"{route.name}: {problem}" for problem in problems]


def _same_call(step: Step, other: Step) -> bool:
    return step.kind == other.kind and getattr(step, step.kind) == getattr(other, other.kind)


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
    """`... prove [NAME ...] [--seeds N] [--rehearse N] [--compositions N]`: 0 when everything holds.

    Each scenario is tried at N draws and in N rehearsals; compositions are of the whole catalogue.
    """
    names = list(arguments)
    seeds = _option(names, "--seeds", 1)
    rehearsals = _option(names, "--rehearse", REHEARSALS)
    compositions = _option(names, "--compositions", 0)
    catalog = load_catalog()
    if unknown := [name for name in names if name not in catalog]:
        print(f"no such scenario: {', '.join(unknown)}", file=sys.stderr)
        return 2
    settings = load_settings()
    failed = asyncio.run(_prove_all([catalog[name] for name in names or catalog], seeds, rehearsals, settings))
    failed += asyncio.run(_compose_all(compositions, settings)) if compositions else 0
    return 1 if failed else 0


def _option(words: list[str], name: str, default: int) -> int:
    """The number after `name`, both taken out of `words`."""
    if name not in words:
        return default
    at = words.index(name)
    value = int(words[at + 1])
    del words[at : at + 2]
    return value


async def _prove_all(tasks: Sequence[Task], seeds: int, rehearsals: int, settings: Settings) -> int:
    backend = open_backend(settings.workspace_backend)
    failed = 0
    for task in tasks:
        for seed in range(seeds):
            failed += _told(await prove(task, seed, backend, settings), f"seed {seed}")
        rehearsed = [
            await rehearse(task, seed, backend, settings)
            for seed in range(FIRST_REHEARSAL, FIRST_REHEARSAL + rehearsals)
        ]
        broken = [proof for proof in rehearsed if not proof.holds]
        failed += sum(_told(proof, f"rehearsal {proof.seed}") for proof in broken)
        if rehearsed and not broken:
            print(f"holds  {task.name} in {len(rehearsed)} rehearsals", flush=True)
    return failed


async def _compose_all(count: int, settings: Settings) -> int:
    """Compositions, as many at once as there are live sessions; how many do not hold."""
    register()
    backend = open_backend(settings.workspace_backend)
    gate = asyncio.Semaphore(settings.max_concurrent_sessions)

    async def one(number: int) -> bool:
        async with gate:
            return _told(await try_composition(number, backend, settings), f"composition {number}")

    return sum(await asyncio.gather(*(one(number) for number in range(count))))


def _told(proof: Proof, which: str) -> bool:
    """Print what was found; whether anything was."""
    print(f"{'holds' if proof.holds else 'FAILS'}  {proof.task} {which}", flush=True)
    for problem in dict.fromkeys(proof.problems):
        print(f"       - {problem}", flush=True)
    return not proof.holds


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
