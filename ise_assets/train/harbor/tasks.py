"""A scenario instance as a Harbor task directory: instruction, environment, tests, solution.

The instance is lived through once, in an isolated workspace. It is seeded and looked at: its files become the environment, so that
no image holds a seed's script or its truths, and what the checks see on it becomes part of the tests. Then the solution is played
in it and must be accepted; its calls become the recorded solution. What a user would say turn by turn is one instruction
here, with the facts that they would tell when asked; what the agent would answer goes into a file, where the checks find it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ise_assets.doctor import debian_package
from ise_assets.execute.acceptance import (
    checker_items,
    checker_source,
    is_accepted,
    kind_of,
    run_checks,
    settled_checks,
)
from ise_assets.execute.models import CheckResult, WorkspaceError
from ise_assets.execute.seed import plant
from ise_assets.execute.tools import BASE_TIME, MESSAGE_SERVICE, SEARCH_INDEX, call_tool
from ise_assets.execute.workspace import ENVIRONMENT, Backend, Limits, Workspace
from ise_assets.intent.models import Intent, Step, Task
from ise_assets.intent.template import HOME, USER, context_of, render
from ise_assets.settings import Settings
from ise_assets.simulate.scripted.prove import intent_of
from ise_assets.simulate.scripted.teacher import captures, tool_call
from ise_assets.train.selection import is_held_out

REPLY = "/workspace/reply.md"
"""Where an agent in Harbor leaves its answer: the tests do not hear what it says."""
FILES = "files.tar.gz"
_LEFT_BEHIND = (
    "find /tmp /var/tmp -mindepth 1 -print -quit; find /home /workspace ! -type l ! -readable -print -quit 2>/dev/null"
)


class HarborTaskError(WorkspaceError):
    """A scenario instance cannot be a Harbor task; the message names it and the reason."""


@dataclass(frozen=True)
class HarborTask:
    """All that is written of one instance.

    `files` is a tar of /home and /workspace; `steps` the recorded solution; `held_out` whether no record is trained on the
    scenario, so that the task may measure what was.
    """

    name: str
    task: Task
    intent: Intent
    files: bytes
    checks: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    held_out: bool


async def build_task(task: Task, seed: int, backend: Backend, settings: Settings) -> HarborTask:
    """Live through the instance that `seed` draws.

    Raises:
        HarborTaskError: its files cannot be moved, or its solution is not accepted.
        SeedError: the seed fails.
        WorkspaceDied: a workspace ended.
    """
    intent = intent_of(task, seed)
    name = f"{task.name}-{seed}"
    tasks = {intent.seed[0].scenario_hash: task}
    async with await Workspace.start(backend, Limits.of(settings)) as workspace:
        truths = await plant(workspace, intent, tasks)
        if left := (await workspace.exec(_LEFT_BEHIND)).stdout.strip():
            raise HarborTaskError(f"{name}: the seed leaves what cannot be moved to an image: {left.splitlines()[0]}")
        files = await workspace.snapshot()
        before = await run_checks(workspace, intent, tasks, truths, {}, None)
        steps = await _solve(workspace, task, intent, settings)
        replies = {subgoal["key"]: _said(steps) for subgoal in intent.subgoals}
        after = await run_checks(workspace, intent, tasks, truths, replies, before)
    if not is_accepted(intent, before, after):
        wrong = ", ".join(result.name for result in after if not result.held)
        raise HarborTaskError(f"{name}: its solution is not accepted: {wrong or 'a check held before it'}")
    checks = _checks(intent, tasks, truths, before)
    held_out = is_held_out(task.name, settings.heldout_scenario_percent)
    return HarborTask(name, task, intent, files, checks, steps, held_out)


def write_task(built: HarborTask, folder: Path) -> Path:
    """Write the task into its own directory below `folder`, whole or not at all, in the place of an earlier one."""
    part, place = folder / f".{built.name}.part", folder / built.name
    shutil.rmtree(part, ignore_errors=True)
    for path, content in contents(built).items():
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        (part / path).write_bytes(content)
        if path.endswith(".sh"):
            (part / path).chmod(0o755)
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)
    return place


async def export_tasks(
    instances: Sequence[tuple[Task, int]], folder: Path, backend: Backend, settings: Settings
) -> list[Path]:
    """Build and write the tasks of (scenario, seed), as many at once as there are live sessions; errors as of `build_task`."""
    gate = asyncio.Semaphore(settings.max_concurrent_sessions)

    async def one(task: Task, seed: int) -> Path:
        async with gate:
            return write_task(await build_task(task, seed, backend, settings), folder)

    return await asyncio.gather(*(one(task, seed) for task, seed in instances))


def contents(built: HarborTask) -> dict[str, bytes]:
    """The task's files by path in its directory."""
    recording = {"environment": ENVIRONMENT, "steps": built.steps}
    texts = {
        "instruction.md": _instruction(built.task, built.intent),
        "task.toml": _toml(built),
        "environment/Dockerfile": _dockerfile(built.task),
        "environment/start.sh": _start(built.task, built.intent),
        "tests/test.sh": _TEST.format(as_user=_AS_USER, reply=REPLY),
        "tests/judge.py": f"{checker_source()}\n\n{_source('judge')}",
        "tests/checks.json": _json(built.checks),
        "solution/solve.sh": _SOLVE.format(as_user=_AS_USER, reply=REPLY),
        "solution/play.py": _source("play"),
        "solution/calls.json": _json(recording),
    }
    files = {f"environment/{FILES}": gzip.compress(built.files, mtime=0)}
    return files | {path: text.encode() for path, text in texts.items()}


async def _solve(workspace: Workspace, task: Task, intent: Intent, settings: Settings) -> list[dict[str, Any]]:
    """Play the solution; returns its calls with their arguments as they were, and its words."""
    instance = intent.seed[0]
    context = context_of(task, instance.params, instance.root, instance.ports)
    got: dict[str, str] = {}
    recorded: list[dict[str, Any]] = []
    calls = 0
    steps = [step for subgoal in task.subgoals for step in task.solution[subgoal.id]]
    for step in steps:
        now = {**context, "got": got}
        if step.ask is not None:
            continue  # the instruction has told the fact already
        if step.say is not None:
            recorded.append({"say": str(render(step.say, now)).strip()})
            continue
        name, arguments = tool_call(step, now)
        text = json.dumps(arguments, ensure_ascii=False)
        result = await call_tool(workspace, name, text, call_index=calls, settings=settings)
        found = captures(step, result.content)
        got |= found
        recorded.append(_recorded(step, name, arguments, found, calls))
        calls += 1
    return recorded


def _recorded(step: Step, name: str, arguments: dict[str, Any], found: Mapping[str, str], index: int) -> dict[str, Any]:
    moment = (BASE_TIME + timedelta(minutes=index)).isoformat()
    dates = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment} if name == "exec" else {}
    reads = [[pattern, found[key]] for key, pattern in step.reads.items()]
    return {"tool": name, "arguments": arguments, "dates": dates, "reads": reads}


def _said(steps: list[dict[str, Any]]) -> str:
    return "\n\n".join(step["say"] for step in steps if "say" in step)


def _checks(
    intent: Intent,
    tasks: Mapping[str, Task],
    truths: Mapping[str, Mapping[str, Any]],
    before: list[CheckResult],
) -> list[dict[str, Any]]:
    """What tests/checks.json holds: what the checker is asked, and the checks of words, all with their names."""
    items = iter(checker_items(intent, tasks, truths, before))
    found = []
    for entry, check in zip(intent.acceptance, settled_checks(intent, truths), strict=True):
        is_reply = kind_of(check) == "reply"
        item = {"kind": "reply", "mentions": check["reply"]["mentions"]} if is_reply else next(items)
        found.append({"name": check.get("name") or entry["key"], "guard": entry["guard"], **item})
    return found


def _instruction(task: Task, intent: Intent) -> str:
    facts = {name: says for subgoal in intent.subgoals for name, says in subgoal["withheld"].items()}
    paragraphs = [subgoal["says"][0] for subgoal in intent.subgoals]
    if facts:
        paragraphs.append(
            "What you may need to know on the way:\n\n" + "\n".join(f"- {says}" for says in facts.values())
        )
    paragraphs.append(
        f"You work in a shell as `{USER}`, at home in `{HOME}`; nobody is there to answer questions. When you are done, write into "
        f"`{REPLY}` what you would tell me: what I asked about, and what was done. Where something cannot or must not be done, say "
        "so there, and why, and leave it as it is."
    )
    paragraphs += [words for tools, words in _MEANS if tools & set(task.tools_needed)]
    return "\n\n".join(paragraphs) + "\n"


_MEANS: tuple[tuple[set[str], str], ...] = (
    ({"memory_search", "memory_get"}, f"Notes from earlier lie in `{HOME}/memory`."),
    (
        {"web_search"},
        f'The web pages that are known here are listed in `{SEARCH_INDEX}`, a line each: `{{"url", "title", "text"}}`.',
    ),
    (
        {"message_send"},
        f'To send a message, POST `{{"to", "subject", "text"}}` as JSON to the address in `{MESSAGE_SERVICE}`.',
    ),
)
"""What stands in the place of tools that an agent in Harbor does not have."""


def _toml(built: HarborTask) -> str:
    task = built.task
    fields = {
        "name": f"ise/{built.name}",
        "description": task.description,
        "domain": task.domain,
        "title": task.title,
        "tiers": list(task.tiers),
        "scenario": task.name,
        "hash": task.content_hash,
        "impossible": task.impossible,
        "held_out": built.held_out,
        "user": USER,
        "home": HOME,
    }
    # a JSON string is a TOML string but for this one character
    return _TOML.format(
        **{key: json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") for key, value in fields.items()}
    )


def _dockerfile(task: Task) -> str:
    packages = sorted({debian_package(program) for program in ("python3", *task.requires)})
    environment = " ".join(f"{name}={shlex.quote(value)}" for name, value in ENVIRONMENT.items())
    return _DOCKERFILE.format(
        programs=" ".join(sorted({"python3", *task.requires})),
        packages=" ".join(packages),
        environment=environment,
        files=FILES,
        user=USER,
        home=HOME,
    )


def _start(task: Task, intent: Intent) -> str:
    instance = intent.seed[0]
    context = context_of(task, instance.params, instance.root, instance.ports)
    services = []
    for step in task.seed:
        if step.service is None:
            continue
        command = str(render(step.service.command, context))
        port = int(render(str(step.service.ready_port), context))
        services.append(f"serve {port} {shlex.quote(instance.root)} {shlex.quote(command)}")
    return _START.format(services="\n".join(services), as_user=_AS_USER)


@cache
def _source(module: str) -> str:
    return Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


_AS_USER = f"""as_user() {{
    local environment=({" ".join(f"{name}={shlex.quote(value)}" for name, value in ENVIRONMENT.items())})
    if [ "$(id -u)" = 0 ]; then
        (cd {HOME} && exec setpriv --reuid={USER} --regid={USER} --init-groups env -i "${{environment[@]}}" "$@")
    else
        (cd {HOME} && exec env -i "${{environment[@]}}" "$@")
    fi
}}"""
_TEST = """#!/bin/bash
# Writes 1 into reward.txt when all checks and guards hold, else 0, and what was seen of each into checks.json.
here=$(cd "$(dirname "$0")" && pwd)
logs=${{VERIFIER_LOGS:-/logs/verifier}}
{as_user}
mkdir -p "$logs"
report=$(as_user mktemp)
reward=$(as_user python3 -S -s -B "$here/judge.py" {reply} "$report")
cat "$report" >"$logs/checks.json"
as_user rm -f "$report"
case $reward in 0 | 1) ;; *) echo "the judge gave no verdict: $reward" >&2; exit 1 ;; esac
echo "$reward" >"$logs/reward.txt"
"""
_SOLVE = """#!/bin/bash
# Plays the recorded solution, call by call.
here=$(cd "$(dirname "$0")" && pwd)
{as_user}
as_user python3 -S -s -B "$here/play.py" {reply}
"""
_START = """#!/bin/bash
# Starts the services, waits until they accept connections, then becomes the command it was given.
{as_user}
serve() {{ # port, directory, command
    as_user bash -c 'cd "$1" && exec setsid bash -c "$2" </dev/null >/dev/null 2>&1' service "$2" "$3" &
    for _ in $(seq 400); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.025; done
    echo "port $1 does not accept connections" >&2
    exit 1
}}
{services}
exec "$@"
"""
_DOCKERFILE = """# The files are those of a workspace after its seed. BASE may name any Debian of the same release.
ARG BASE=debian:bookworm-slim
FROM ${{BASE}}
USER root
RUN set -e; missing=; for program in {programs}; do command -v $program >/dev/null || missing=1; done; \\
    if [ -n "$missing" ]; then \\
        apt-get update; \\
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {packages}; \\
        rm -rf /var/lib/apt/lists/*; \\
    fi; \\
    id {user} >/dev/null 2>&1 || useradd --uid 1000 --user-group --create-home --home-dir {home} --shell /bin/bash {user}
ENV {environment}
ADD {files} /
COPY start.sh /usr/local/bin/start-services
RUN chmod 755 /usr/local/bin/start-services && chown -R {user}:{user} {home} /workspace
USER {user}
WORKDIR {home}
ENTRYPOINT ["/usr/local/bin/start-services"]
CMD ["sleep", "infinity"]
"""
_TOML = """schema_version = "1.4"

[task]
name = {name}
description = {description}

[metadata]
domain = {domain}
title = {title}
tiers = {tiers}
scenario = {scenario}
scenario_hash = {hash}
impossible = {impossible}
held_out = {held_out}

[agent]
timeout_sec = 1800.0
user = {user}

[verifier]
timeout_sec = 300.0

[environment]
build_timeout_sec = 900.0
cpus = 1
memory_mb = 1024
storage_mb = 4096
workdir = {home}
"""
