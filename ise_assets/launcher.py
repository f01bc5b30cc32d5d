"""Runs as containers on the engines of several machines. docker/dagster.yaml names it; nothing else here imports it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import Any

from dagster import DagsterRun, Field, StringSource
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, ResumeRunContext, WorkerStatus
from dagster._serdes.config_class import ConfigurableClassData
from dagster_docker import DockerRunLauncher
from dagster_docker.container_context import DockerContainerContext
from docker.client import DockerClient
from docker.errors import DockerException

ENGINE_TAG = "ise/engine"
"""Run tag: the address of the engine that has the run's container."""
PATIENCE_S = 120.0
"""Seconds an engine may stay away before its runs count as dead."""
_UNREACHABLE = (DockerException, OSError)
_LOG = logging.getLogger(__name__)
_engine: ContextVar[str] = ContextVar("engine")


class EnginesRunLauncher(DockerRunLauncher):
    """Dagster's DockerRunLauncher over several engines: a run goes to the one that has the fewest.

    `engines` are their addresses with commas between, as DOCKER_HOST has them (`unix:///var/run/docker.sock`,
    `tcp://10.0.0.2:2376`); for TLS, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH hold for all that are `tcp:`. Image, network and
    volumes have the same names everywhere. One that does not answer gets no run; after `PATIENCE_S` the runs it had count as
    dead, and Dagster's retries start them elsewhere.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None, engines: str = "", **config: Any) -> None:
        super().__init__(inst_data, **config)
        self.engines = [one.strip() for one in engines.split(",") if one.strip()] or [_here()]
        self._away: dict[str, tuple[float, float]] = {}
        """When each silent engine was first and last found to be silent."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """DockerRunLauncher's, and `engines`."""
        about = "Addresses of Docker engines, with commas between; DOCKER_HOST where there are none."
        engines = Field(StringSource, default_value="", description=about)
        return {**DockerRunLauncher.config_type(), "engines": engines}  # type: ignore[no-untyped-call]

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> EnginesRunLauncher:
        """As Dagster makes it from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's container where the fewest are."""
        with self._on_the_emptiest(context.dagster_run):
            super().launch_run(context)

    def resume_run(self, context: ResumeRunContext) -> None:
        """Start another container for the run, where the fewest are."""
        with self._on_the_emptiest(context.dagster_run):
            super().resume_run(context)

    def terminate(self, run_id: str) -> bool:
        """Stop the run's container."""
        run = self._instance.get_run_by_id(run_id)
        with _on(self._engine_of(run)):
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's container runs; it is taken to run while its engine is away for a moment."""
        engine = self._engine_of(run)
        try:
            with closing(client(engine, timeout_s=10)) as asked:
                asked.ping()
            with _on(engine):
                found: CheckRunHealthResult = super().check_run_worker_health(run)
        except _UNREACHABLE as error:
            now = time.monotonic()
            since, last = self._away.get(engine, (now, now))
            since = now if now - last > PATIENCE_S / 2 else since  # it has answered meanwhile: nobody asked
            self._away[engine] = since, now
            away_s = now - since
            said = f"The engine {engine} has not answered for {away_s:.0f} s: {error}"
            return CheckRunHealthResult(WorkerStatus.RUNNING if away_s < PATIENCE_S else WorkerStatus.FAILED, said)
        self._away.pop(engine, None)
        return found

    def _engine_of(self, run: DagsterRun | None) -> str:
        return str(run.tags.get(ENGINE_TAG, self.engines[0])) if run else self.engines[0]

    @contextmanager
    def _on_the_emptiest(self, run: DagsterRun) -> Iterator[None]:
        engine = self._emptiest()
        self._instance.add_run_tags(run.run_id, {ENGINE_TAG: engine})
        with _on(engine):
            yield

    def _emptiest(self) -> str:
        """The engine with the fewest containers of runs.

        Raises:
            RuntimeError: none answers; it names each with the reason.
        """
        busy: dict[str, int] = {}
        silent: dict[str, str] = {}
        for engine in self.engines:
            try:
                with closing(client(engine, timeout_s=10)) as asked:
                    busy[engine] = len(asked.containers.list(sparse=True, filters={"label": "dagster/run_id"}))
            except _UNREACHABLE as error:
                silent[engine] = str(error)
                _LOG.warning("no run is started on the engine %s, which does not answer: %s", engine, error)
        if not busy:
            said = "; ".join(f"{engine}: {reason}" for engine, reason in silent.items())
            raise RuntimeError(
                f"no Docker engine answers. See that it runs and that this service may speak to it. {said}"
            )
        return min(busy, key=busy.__getitem__)

    def _get_client(self, container_context: DockerContainerContext) -> DockerClient:
        """What DockerRunLauncher speaks to the engine with: the one of the run that is being spoken of."""
        found = client(_engine.get())
        if registry := container_context.registry:
            found.login(username=registry["username"], password=registry["password"], registry=registry["url"])
        return found


def client(engine: str, timeout_s: float = 60) -> DockerClient:
    """A client of the engine at this address."""
    left_out = () if engine.startswith("tcp:") else ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return DockerClient.from_env(environment={**environment, "DOCKER_HOST": engine}, timeout=timeout_s)


def _here() -> str:
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@contextmanager
def _on(engine: str) -> Iterator[None]:
    token = _engine.set(engine)
    try:
        yield
    finally:
        _engine.reset(token)
