"""Seeding: the world that an intent talks about is put into a fresh workspace, the same every time.

Everything runs inside the workspace, as its user; scripts travel through stdin and leave no trace. A seed script may print one
JSON object, the *truths*: values that only the acceptance checks see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ise_assets.execute.models import ExecResult, WorkspaceError
from ise_assets.execute.workspace import Workspace
from ise_assets.intent.models import Intent, SeedService, SeedStep, Task, TaskInstance
from ise_assets.intent.template import HOME, context_of, render

SEED_TIMEOUT_S = 120.0
SEED_DATE = "2026-03-02T08:00:00+00:00"
_GITCONFIG = """\
[user]
\tname = user
\temail = user@workspace.example
[init]
\tdefaultBranch = main
[advice]
\tdetachedHead = false
"""


class SeedError(WorkspaceError):
    """A scenario's seed does not do what it says: the scenario is at fault, not the agent."""


async def plant(workspace: Workspace, intent: Intent, tasks: Mapping[str, Task]) -> dict[str, dict[str, Any]]:
    """Seed every scenario of the intent and start its services.

    Args:
        tasks: the scenario versions by content hash.

    Returns:
        The truths per task index (as text): what only the acceptance checks may know.

    Raises:
        SeedError: a seed step failed; the message names scenario, step and output.
    """
    await workspace.put_files([(f"{HOME}/.gitconfig", _GITCONFIG.encode(), 0o644)])
    truths: dict[str, dict[str, Any]] = {}
    for index, instance in enumerate(intent.seed):
        task = tasks[instance.scenario_hash]
        truths[str(index)] = await _plant_one(workspace, task, instance, f"{intent.id}.{index}")
    return truths


def script_parameters(instance: TaskInstance, seed: str) -> str:
    """What a script reads from the environment variable PARAMS, as JSON."""
    known = {**instance.params, "root": instance.root, "home": HOME, "ports": instance.ports, "seed": seed}
    return json.dumps(known, ensure_ascii=True)


async def _plant_one(workspace: Workspace, task: Task, instance: TaskInstance, seed: str) -> dict[str, Any]:
    context = context_of(task, instance.params, instance.root, instance.ports)
    environment = {
        "PARAMS": script_parameters(instance, seed),
        "GIT_AUTHOR_DATE": SEED_DATE,
        "GIT_COMMITTER_DATE": SEED_DATE,
    }
    await workspace.put_files([(f"{instance.root}/.seed", b"", 0o644)])
    await _must(task, "root", await workspace.exec(f"rm '{instance.root}/.seed'", workdir=HOME))
    truths: dict[str, Any] = {}
    files: list[tuple[str, bytes, int]] = []
    for number, step in enumerate(task.seed):
        if step.file is not None:
            path = str(render(step.file.path, context))
            files.append((path, str(render(step.file.content, context)).encode(), int(step.file.mode, 8)))
            continue
        if files:
            await workspace.put_files(files)
            files = []
        truths |= await _do(workspace, task, step, number, context, environment, instance)
    if files:
        await workspace.put_files(files)
    return truths


async def _do(
    workspace: Workspace,
    task: Task,
    step: SeedStep,
    number: int,
    context: dict[str, Any],
    environment: dict[str, str],
    instance: TaskInstance,
) -> dict[str, Any]:
    where = f"seed[{number}]"
    if step.script is not None:
        result = await workspace.run_python(
            task.scripts[step.script], env=environment, workdir=instance.root, timeout_s=SEED_TIMEOUT_S
        )
        await _must(task, f"{where} {step.script}", result)
        return _truths(task, step.script, result.stdout)
    if step.run is not None:
        command = str(render(step.run, context))
        result = await workspace.exec(command, env=environment, workdir=instance.root, timeout_s=SEED_TIMEOUT_S)
        await _must(task, where, result)
    if step.service is not None:
        await _serve(workspace, task, step.service, context, instance)
    return {}


async def _serve(
    workspace: Workspace, task: Task, service: SeedService, context: dict[str, Any], instance: TaskInstance
) -> None:
    command = str(render(service.command, context))
    port = int(render(str(service.ready_port), context))
    await workspace.exec(command, workdir=instance.root, background=True, hidden=True)
    probe = (
        f"for i in $(seq 400); do (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && exit 0; sleep 0.025; done; "
        f"echo port {port} does not accept; exit 1"
    )
    await _must(task, f"service {service.name}", await workspace.exec(probe, timeout_s=30))


async def _must(task: Task, where: str, result: ExecResult) -> None:
    if result.exit_code != 0:
        said = (result.stderr or result.stdout).strip()[-600:]
        raise SeedError(f"scenario {task.name}: {where} failed with exit code {result.exit_code}: {said}")


def _truths(task: Task, script: str, stdout: str) -> dict[str, Any]:
    if not stdout.strip():
        return {}
    try:
        truths = json.loads(stdout)
    except ValueError as error:
        raise SeedError(
            f"scenario {task.name}: {script} must print one JSON object or nothing: {stdout[:200]!r}"
        ) from error
    if not isinstance(truths, dict):
        raise SeedError(f"scenario {task.name}: {script} must print a JSON object, got {type(truths).__name__}")
    return truths
