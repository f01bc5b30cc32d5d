"""A deployment of docker/compose.yaml for tests: images built here, brought up by docker/up, spoken to as a browser would."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ise_assets.settings import PROJECT
from ise_assets.stage import DOMAIN_ASSETS
from ise_assets_tests.pipeline import until

HERE = Path(__file__).parent
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "ise_assets"}
_BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_COUNTS = """
SELECT (SELECT count(*) FROM deduped_pool) AS kept,
       (SELECT count(*) FROM simulated_dialogues) AS sessions,
       (SELECT count(DISTINCT id) FROM simulated_dialogues) AS distinct_sessions,
       (SELECT count(*) FROM simulated_dialogues WHERE intent_id NOT IN (SELECT intent_id FROM deduped_pool)) AS strays,
       (SELECT count(*) FROM executed_traces) AS traces,
       (SELECT count(*) FROM executed_traces WHERE accepted AND reproduced) AS good,
       (SELECT count(*) FROM sft_split) AS records,
       (SELECT count(DISTINCT id) FROM sft_split) AS distinct_records,
       (SELECT sum(tool_call_count) FROM simulated_dialogues) AS live_calls,
       (SELECT count(*) FROM tool_calls) AS calls
"""


def docker(*arguments: str, check: bool = True, engine: str | None = None) -> str:
    """What a docker command says; on the engine of the environment, or on the one at this address."""
    environment = {**os.environ, **({"DOCKER_HOST": engine} if engine else {})}
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, env=environment)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def build_images(environment: dict[str, str]) -> None:
    """The workspaces', the services' and PostgreSQL's, from Debian's mirror and wheels."""
    build = "set -e; . docker/debootstrap.sh; die() { echo $1 >&2; exit 1; }; base=$(import_base ise-test-postgres-base postgresql); "
    build += f"docker build -q --build-arg BASE=$base -f {HERE}/postgres.Dockerfile -t ise-test-postgres {HERE}"
    for command in (["docker/build-workspace-image.sh"], ["docker/build-service-image.sh"], ["bash", "-c", build]):
        began = time.monotonic()
        env = {**environment, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        print(f"{command[0]}: {time.monotonic() - began:.0f} s")


def fill_cache(volume: str, engine: str | None = None) -> None:
    """The embedding model, which is here already, into the volume; a deployment elsewhere fetches it."""
    cache = Path(os.environ.get("ISE_CACHE") or Path.home() / ".cache" / "ise_assets")
    docker("volume", "create", volume, engine=engine)
    mounts = ["-v", f"{volume}:/cache", "-v", f"{cache}:/from:ro", "--network", "none", "--user", "0"]
    copy = "cp -r /from/. /cache && chown -R ise:ise /cache"
    docker("run", "--rm", *mounts, "ise-service:latest", "sh", "-c", copy, engine=engine)


class Deployment:
    """What `docker/up` has brought up under a name of its own."""

    def __init__(self, name: str, port: int, **settings: str) -> None:
        self.name, self.ui, self.view = name, f"127.0.0.1:{port}", f"127.0.0.1:{port + 30}"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ISE_")},
            "ISE_DEPLOYMENT": name,
            "ISE_UI_ADDRESS": self.ui,
            "ISE_VIEW_ADDRESS": self.view,
            "ISE_POSTGRES_IMAGE": "ise-test-postgres:latest",
            **settings,
        }

    @property
    def secrets(self) -> Path:
        """The file that docker/up makes."""
        return PROJECT / "docker" / f"{self.name}.env"

    def script(self, name: str, *arguments: str, engine: str | None = None) -> str:
        """What a script of docker/ says."""
        environment = {**self.environment, **({"DOCKER_HOST": engine} if engine else {})}
        command = [PROJECT / "docker" / name, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def container(self, service: str) -> str:
        """Of a service of compose.yaml."""
        labels = (f"com.docker.compose.project={self.name}", f"com.docker.compose.service={service}")
        return docker("ps", "-aq", *(part for label in labels for part in ("--filter", f"label={label}")))

    def runs(self, *more: str, engine: str | None = None) -> list[str]:
        """Containers of runs."""
        mine = ["--filter", "label=dagster/run_id", "--filter", f"network={self.name}"]
        return docker("ps", *more, "-q", *mine, engine=engine).split()

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"http://{self.ui}/graphql", body, {"Content-Type": "application/json"})
        for _ in range(5):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    found = json.load(answer)
                break
            except urllib.error.HTTPError as error:
                told = error.read().decode()
                if (
                    "closed the connection" not in told
                ):  # the web server finds out by asking, once PostgreSQL was killed
                    raise AssertionError(told[-3000:]) from error
        else:
            raise AssertionError(told[-3000:])
        assert "errors" not in found, found["errors"]
        return found["data"]

    def statuses(self) -> dict[str, str]:
        """Status by id of every run."""
        found = self.ask("{ runsOrError(limit: 500) { ... on Runs { results { runId status } } } }")
        return {run["runId"]: run["status"] for run in found["runsOrError"]["results"]}

    def sql(self, statement: str, database: str = "lake") -> str:
        return docker(
            "exec", self.container("postgres"), "psql", "-X", "-A", "-t", "-U", "ise", "-d", database, "-c", statement
        )

    def lake(self, query: str) -> list[dict[str, Any]]:
        """Rows of the warehouse, by `ise sql` in the code server."""
        program = (
            "import json, sys; from ise_assets.settings import load_settings; from ise_assets.warehouse import Warehouse\n"
            "print(json.dumps(Warehouse.of(load_settings()).rows(sys.argv[1]), default=str))"
        )
        return list(json.loads(docker("exec", self.container("code"), "python", "-c", program, query)))

    def launch(self, assets: Sequence[str]) -> None:
        """A run of unpartitioned assets."""
        selector = {**REPOSITORY, "pipelineName": "__ASSET_JOB", "assetSelection": [{"path": [one]} for one in assets]}
        found = self.ask(
            """mutation ($params: ExecutionParams!) {
              launchPipelineExecution(executionParams: $params) { __typename ... on PythonError { message } }
            }""",
            params={"selector": selector, "runConfigData": {}, "mode": "default"},
        )
        assert found["launchPipelineExecution"]["__typename"] == "LaunchRunSuccess", found

    def backfill(self, domains: Sequence[str]) -> str:
        """Start a backfill of all assets of these domains; returns its id."""
        params = {"partitionNames": list(domains), "assetSelection": [{"path": [name]} for name in DOMAIN_ASSETS]}
        answer = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def stop_sensors(self) -> None:
        """None of them starts a run any more: the test does."""
        for sensor in ("carry_on", "go_on", "persona_lists"):
            state = self.ask(
                "query ($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState { id } } } }",
                s={**REPOSITORY, "sensorName": sensor},
            )["sensorOrError"]["sensorState"]["id"]
            self.ask("mutation ($id: String!) { stopSensor(id: $id) { __typename } }", id=state)

    def ended(self) -> bool:
        """Whether no run is under way or to come."""
        return all(status in ("SUCCESS", "FAILURE", "CANCELED") for status in self.statuses().values())

    def backfilled(self, identity: str) -> bool:
        """Whether a backfill and all runs are over."""
        found = self.ask(
            "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }",
            id=identity,
        )
        return found["partitionBackfillOrError"]["status"].startswith("COMPLETED") and self.ended()

    def materialized(self) -> dict[str, list[str]]:
        """By asset, the domains that it was materialized for."""
        found = {}
        for asset in DOMAIN_ASSETS:
            answer = self.ask(
                """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
                   assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } } }""",
                key={"path": [asset]},
            )
            found[asset] = answer["assetNodeOrError"]["assetPartitionStatuses"]["materializedPartitions"]
        return found

    def check_counts(self) -> dict[str, Any]:
        """Every kept intent is one session, one trace; every id is there once, and nothing that is not asked for."""
        counts = self.lake(_COUNTS)[0]
        print(counts)
        assert counts["kept"] == counts["sessions"] == counts["distinct_sessions"] == counts["traces"]
        assert counts["records"] == counts["distinct_records"] and counts["strays"] == 0
        assert int(counts["live_calls"]) == counts["calls"]
        return counts

    def clear_away(self, engine: str | None = None) -> None:
        """Containers, volumes, network and secrets of this name."""
        for container in docker("ps", "-aq", "--filter", f"network={self.name}", engine=engine).split():
            docker("rm", "-f", "-v", container, check=False, engine=engine)
        for volume in ("data", "cache", "postgres"):
            docker("volume", "rm", "-f", f"{self.name}_{volume}", check=False, engine=engine)
        docker("network", "rm", self.name, check=False, engine=engine)
        self.secrets.unlink(missing_ok=True)


def patiently(true: Any, timeout_s: float) -> None:
    """`until`, while the web server may be away for a moment."""

    def looked() -> bool:
        try:
            return bool(true())
        except (OSError, AssertionError):
            return False

    until(looked, timeout_s, 2)
