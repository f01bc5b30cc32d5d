"""The launcher over several engines, on a real one beside one that never answers; deploy/test_hosts.py runs two."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import cast

import pytest
from dagster import DagsterInstance
from dagster._core.launcher.base import WorkerStatus
from dagster_docker.docker_run_launcher import DOCKER_CONTAINER_ID_TAG

from ise_assets import launcher
from ise_assets.launcher import ENGINE_TAG, EnginesRunLauncher
from ise_assets.settings import Settings

NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture
def instance(docker_engine: str) -> Iterator[DagsterInstance]:
    config = {"engines": f"{NOBODY}, {docker_engine or 'unix:///var/run/docker.sock'}"}
    named = {"module": "ise_assets.launcher", "class": "EnginesRunLauncher", "config": config}
    with DagsterInstance.local_temp(overrides={"run_launcher": named}) as made:
        yield made


def engines(instance: DagsterInstance) -> EnginesRunLauncher:
    return cast(EnginesRunLauncher, instance.run_launcher)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def a_run(instance: DagsterInstance, **tags: str) -> str:
    run = instance.create_run_for_job(_job())
    instance.add_run_tags(run.run_id, tags)
    return str(run.run_id)


def _job():  # type: ignore[no-untyped-def]
    import dagster as dg

    @dg.job
    def nothing() -> None:
        return None

    return nothing


def test_a_run_goes_to_an_engine_that_answers(instance: DagsterInstance) -> None:
    assert engines(instance)._emptiest() == engines(instance).engines[1]


def test_without_any_engine_each_is_named_with_its_reason() -> None:
    with pytest.raises(RuntimeError, match=rf"no Docker engine answers.*{NOBODY}: .*refused"):
        EnginesRunLauncher(engines=NOBODY)._emptiest()


def test_a_runs_container_is_looked_after_on_its_engine(instance: DagsterInstance) -> None:
    container = docker("run", "-d", "--network", "none", Settings().docker_image, "sleep", "600")
    try:
        here = engines(instance).engines[1]
        run_id = a_run(instance, **{ENGINE_TAG: here, DOCKER_CONTAINER_ID_TAG: container})
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert engines(instance).check_run_worker_health(run).status == WorkerStatus.RUNNING
        docker("kill", container)
        assert engines(instance).check_run_worker_health(run).status == WorkerStatus.FAILED
        docker("start", container)
        docker("rm", "-f", container)
        assert engines(instance).check_run_worker_health(run).status == WorkerStatus.NOT_FOUND
    finally:
        subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=False)


def test_terminating_a_run_stops_its_container(instance: DagsterInstance) -> None:
    container = docker(
        "run", "-d", "--network", "none", "--stop-signal", "KILL", Settings().docker_image, "sleep", "600"
    )
    try:
        run_id = a_run(instance, **{ENGINE_TAG: engines(instance).engines[1], DOCKER_CONTAINER_ID_TAG: container})
        assert engines(instance).terminate(run_id)
        assert docker("inspect", "-f", "{{.State.Status}}", container) == "exited"
    finally:
        docker("rm", "-f", container)


def test_an_engine_may_be_away_for_a_while(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    run = instance.get_run_by_id(a_run(instance, **{ENGINE_TAG: NOBODY, DOCKER_CONTAINER_ID_TAG: "abc"}))
    assert run is not None
    found = engines(instance).check_run_worker_health(run)
    assert found.status == WorkerStatus.RUNNING
    assert NOBODY in (found.msg or "")
    monkeypatch.setattr(launcher, "PATIENCE_S", 0.0)
    assert engines(instance).check_run_worker_health(run).status == WorkerStatus.FAILED


def test_a_moments_silence_long_ago_is_forgotten(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    run = instance.get_run_by_id(a_run(instance, **{ENGINE_TAG: NOBODY, DOCKER_CONTAINER_ID_TAG: "abc"}))
    assert run is not None
    now = [1000.0]
    monkeypatch.setattr(launcher.time, "monotonic", lambda: now[0])
    found = []
    for passed in (0, 3600, *[15] * 9):
        now[0] += passed
        found.append(engines(instance).check_run_worker_health(run).status)
    assert found == [WorkerStatus.RUNNING] * 9 + [WorkerStatus.FAILED] * 2
