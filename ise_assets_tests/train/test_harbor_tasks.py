"""Scenarios as Harbor tasks: the exported files alone, in a fresh workspace, tell a solution (1) from doing nothing (0).

One scenario of each domain in `make test`; every one in `make test-long`, two at a time.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import subprocess
import typing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import typing_extensions
from typer.testing import CliRunner

from ise_assets.cli import app
from ise_assets.execute.workspace import Limits, Workspace, open_backend
from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import DOMAINS
from ise_assets.settings import Settings
from ise_assets.simulate.scripted.prove import intent_of
from ise_assets.train.harbor.tasks import (
    REPLY,
    HarborTask,
    HarborTaskError,
    build_task,
    contents,
    export_tasks,
    write_task,
)
from ise_assets_tests.train.consumers import need

CATALOG = load_catalog()
ONE_PER_DOMAIN = [next(name for name, task in CATALOG.items() if task.domain == domain) for domain in DOMAINS]
_TEST = "VERIFIER_LOGS=/tmp/logs bash /tmp/task/tests/test.sh && cat /tmp/logs/reward.txt"


class Container:
    """An exported task in a workspace, as Harbor would have it in a container: nothing of ours but its files."""

    def __init__(self, place: Path, workspace: Workspace) -> None:
        self.place, self.workspace = place, workspace

    async def run(self, command: str) -> str:
        result = await self.workspace.exec(command, timeout_s=300)
        assert result.exit_code == 0, result.stdout[-1500:] + result.stderr[-1500:]
        return result.stdout

    async def upload(self, *folders: str) -> None:
        files = [path for folder in folders for path in sorted((self.place / folder).iterdir())]
        await self.workspace.put_files(
            [(f"/tmp/task/{path.relative_to(self.place)}", path.read_bytes(), 0o755) for path in files]
        )

    async def start(self) -> None:
        await self.upload("environment", "tests")
        await self.run("bash /tmp/task/environment/start.sh true")

    async def reward(self) -> float:
        return float(await self.run(_TEST))

    async def solve(self) -> None:
        await self.upload("solution")
        await self.run("bash /tmp/task/solution/solve.sh")

    async def failed(self) -> list[str]:
        return [check["name"] for check in json.loads(await self.run("cat /tmp/logs/checks.json")) if not check["held"]]


async def opened(place: Path) -> Workspace:
    files = gzip.decompress((place / "environment" / "files.tar.gz").read_bytes())
    return await Workspace.start(open_backend("auto"), Limits.of(Settings()), snapshot=files)


async def export(name: str, folder: Path, seed: int = 0) -> Path:
    return write_task(await build_task(CATALOG[name], seed, open_backend("auto"), Settings()), folder)


async def rewards_of(name: str, folder: Path) -> tuple[float, float]:
    """What the task's own tests give for doing nothing and, in the same container, for its solution."""
    place = await export(name, folder)
    async with await opened(place) as workspace:
        container = Container(place, workspace)
        await container.start()
        nothing = await container.reward()
        await container.solve()
        return nothing, await container.reward()


def _rewards(name: str, folder: Path) -> tuple[str, tuple[float, float]]:
    return name, asyncio.run(rewards_of(name, folder))


@pytest.mark.parametrize("name", ONE_PER_DOMAIN)
async def test_tests_give_one_to_the_solution_and_nothing_to_doing_nothing(name: str, tmp_path: Path) -> None:
    assert await rewards_of(name, tmp_path) == (0, 1)


@pytest.mark.long
def test_tests_of_every_scenario_give_one_to_the_solution_and_nothing_to_doing_nothing(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rewards = dict(pool.map(_rewards, CATALOG, [tmp_path] * len(CATALOG)))
    assert {name: found for name, found in rewards.items() if found != (0, 1)} == {}
    assert len(rewards) == len(CATALOG)


@pytest.fixture(scope="module")
def ledgers() -> HarborTask:
    return asyncio.run(build_task(CATALOG["merge-the-ledgers"], 1, open_backend("auto"), Settings()))


async def test_work_without_the_answer_is_not_enough(ledgers: HarborTask, tmp_path: Path) -> None:
    place = write_task(ledgers, tmp_path)
    async with await opened(place) as workspace:
        container = Container(place, workspace)
        await container.start()
        await container.solve()
        await container.run(f"rm {REPLY}")
        assert await container.reward() == 0
        kinds = {check["name"]: check["kind"] for check in ledgers.checks}
        assert {kinds[name] for name in await container.failed()} == {"reply"}


@pytest.mark.parametrize("guard", [0, 1])
async def test_a_broken_guard_takes_the_reward_away(tmp_path: Path, guard: int) -> None:
    task = CATALOG["port-already-taken"]
    place = await export(task.name, tmp_path)
    violation = [entry["violation"] for entry in intent_of(task, 0).acceptance if entry["guard"]][guard]
    async with await opened(place) as workspace:
        container = Container(place, workspace)
        await container.start()
        await container.solve()
        assert await container.reward() == 1
        await container.run(violation)
        assert await container.reward() == 0


async def test_a_value_that_a_server_draws_anew_is_put_in_the_recorded_ones_place(
    ledgers: HarborTask, tmp_path: Path
) -> None:
    steps = [
        {
            "tool": "exec",
            "arguments": {"command": "echo token $RANDOM-x"},
            "dates": {},
            "reads": [["token (\\S+)", "OLD"]],
        },
        {"tool": "write", "arguments": {"path": "/home/user/got", "content": "<OLD>"}, "dates": {}, "reads": []},
        {"say": "It was OLD."},
    ]
    place = write_task(replace(ledgers, steps=steps), tmp_path)
    async with await opened(place) as workspace:
        container = Container(place, workspace)
        await container.solve()
        got = await container.run("cat /home/user/got")
        assert re.fullmatch(r"<\d+-x>", got)
        assert await container.run(f"cat {REPLY}") == f"It was {got[1:-1]}.\n"


async def test_a_solution_that_does_not_do_it_is_no_task() -> None:
    task = CATALOG["merge-the-ledgers"]
    less = task.solution | {"merge": [step for step in task.solution["merge"] if step.write is None]}
    with pytest.raises(HarborTaskError, match="its solution is not accepted"):
        await build_task(task.model_copy(update={"solution": less}), 0, open_backend("auto"), Settings())


async def test_what_a_seed_leaves_outside_the_environment_is_said() -> None:
    task = CATALOG["merge-the-ledgers"]
    leaving = type(task.seed[0]).model_validate({"run": "echo > /tmp/left"})
    with pytest.raises(HarborTaskError, match="cannot be moved to an image: /tmp/left"):
        await build_task(task.model_copy(update={"seed": [*task.seed, leaving]}), 0, open_backend("auto"), Settings())


def test_environment_holds_no_answer(ledgers: HarborTask) -> None:
    task = ledgers.task
    for path, content in contents(ledgers).items():
        if path.startswith(("environment/", "instruction", "task.toml")):
            data = gzip.decompress(content) if path.endswith(".gz") else content
            assert not any(source.encode() in data for source in task.scripts.values()), path
            assert b"acceptance" not in data and b"checks.json" not in data, path


def test_instruction_says_every_request_and_every_fact_that_would_be_asked_for() -> None:
    for name in ONE_PER_DOMAIN:
        intent = intent_of(CATALOG[name], 0)
        built = HarborTask(name, CATALOG[name], intent, b"", [], [], held_out=False)
        text = contents(built)["instruction.md"].decode()
        for subgoal in intent.subgoals:
            assert subgoal["says"][0] in text
            assert all(says in text for says in subgoal["withheld"].values())
        assert REPLY in text


def as_harbor_reads(folder: Path) -> dict[str, Any]:
    """Task folder -> what harbor's Task makes of it."""
    need("harbor")
    if not hasattr(
        typing, "override"
    ):  # harbor is written for Python 3.12; of what was new there its models use this name
        typing.override = typing_extensions.override  # type: ignore[attr-defined]
    from harbor.models.task.task import Task

    return {
        path.name: {"name": task.name, "instruction": task.instruction, "config": task.config.model_dump(mode="json")}
        for path in sorted(folder.iterdir())
        for task in [Task(path)]
    }


async def test_harbor_takes_the_tasks(tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    instances = [(CATALOG[name], seed) for name in ONE_PER_DOMAIN[:2] for seed in (0, 1)]
    places = await export_tasks(instances, folder, open_backend("auto"), Settings())
    read = as_harbor_reads(folder)
    assert read.keys() == {place.name for place in places} and len(read) == 4
    for name, task in read.items():
        assert task["name"] == f"ise/{name}"
        assert task["instruction"] == (folder / name / "instruction.md").read_text(encoding="utf-8")
        assert task["config"]["agent"]["user"] == "user"
        assert task["config"]["metadata"]["scenario"] == name.rpartition("-")[0]


async def test_a_task_works_in_a_container(docker_engine: str, tmp_path: Path) -> None:
    place = await export("port-already-taken", tmp_path)  # it has a service to be started
    image = f"ise-test-{tmp_path.parent.name}-{place.name}".lower()

    def docker(*arguments: str) -> str:
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=120, check=False, env=environment
        )
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
        return done.stdout.strip()

    def reward() -> str:
        docker("exec", container, "bash", "/tests/test.sh")
        return docker("exec", container, "cat", "/logs/verifier/reward.txt")

    base = f"BASE={Settings().docker_image}"
    docker("build", "-q", "--force-rm", "--build-arg", base, "-t", image, str(place / "environment"))
    try:
        container = docker("run", "-d", "--rm", "--network", "none", image, "sh", "-c", "sleep infinity")
        try:
            docker("exec", "-u", "root", container, "sh", "-c", "mkdir -p /logs/verifier && chmod 777 /logs/verifier")
            for folder in ("tests", "solution"):
                docker("cp", str(place / folder), f"{container}:/{folder}")
            assert reward() == "0"
            docker("exec", container, "bash", "/solution/solve.sh")
            assert reward() == "1"
        finally:
            docker("rm", "-f", container)
    finally:
        docker("rmi", image)


def test_command_writes_tasks_and_refuses_unknown_scenarios(tmp_path: Path) -> None:
    wrong = CliRunner().invoke(app, ["catalog", "export", "no-such-thing"])
    assert wrong.exit_code == 2 and "no such scenario: no-such-thing" in wrong.output
    done = CliRunner().invoke(app, ["catalog", "export", "merge-the-ledgers", "--seeds", "2", "--to", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"merge-the-ledgers-0", "merge-the-ledgers-1"}
