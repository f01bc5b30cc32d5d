"""The deployment of docker/compose.yaml, for real: images built here, ten domains as run containers into the lake, kills in between.

Long: `make test-long`. Needs root (debootstrap), docker-compose and Debian's mirror. What it makes has a name of its own, so that
another deployment on the same engine stays untouched.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ise_assets.intent.models import DOMAINS
from ise_assets.settings import PROJECT
from ise_assets.stage import DOMAIN_ASSETS
from ise_assets_tests.pipeline import until

pytestmark = pytest.mark.long
NAME = "isetest"
HERE = Path(__file__).parent
UI, VIEW = "127.0.0.1:13000", "127.0.0.1:13030"
PERSONAS_PER_LIST = 3


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


class Deployment:
    """What `docker/up` has brought up, spoken to as a browser would."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def script(self, name: str) -> str:
        done = subprocess.run(
            [PROJECT / "docker" / name], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def container(self, service: str) -> str:
        return docker(
            "ps",
            "-aq",
            "--filter",
            f"label=com.docker.compose.project={NAME}",
            "--filter",
            f"label=com.docker.compose.service={service}",
        )

    def runs(self, *more: str) -> list[str]:
        """Containers of runs."""
        return docker("ps", *more, "-q", "--filter", "label=dagster/run_id", "--filter", f"network={NAME}").split()

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"http://{UI}/graphql", body, {"Content-Type": "application/json"})
        for _ in range(5):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    found = json.load(answer)
                break
            except urllib.error.HTTPError as error:
                told = error.read().decode()
                if (
                    "closed the connection" not in told
                ):  # which the web server finds out by asking, once PostgreSQL was killed
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


@pytest.fixture(scope="module")
def deployment(docker_engine: str) -> Iterator[Deployment]:
    if not shutil.which("docker-compose") and subprocess.run(["docker", "compose", "version"], check=False).returncode:
        pytest.skip("DEPLOYMENT NOT TESTED: no docker-compose (Debian: apt-get install docker-compose)")
    cache = Path(os.environ.get("ISE_CACHE") or Path.home() / ".cache" / "ise_assets")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ISE_")},
        "ISE_DEPLOYMENT": NAME,
        "ISE_UI_ADDRESS": UI,
        "ISE_VIEW_ADDRESS": VIEW,
        "ISE_POSTGRES_IMAGE": "ise-test-postgres:latest",
        "ISE_SHIPPED_PERSONAS_PER_LIST": str(PERSONAS_PER_LIST),
    }
    build = "set -e; . docker/debootstrap.sh; die() { echo $1 >&2; exit 1; }; base=$(import_base ise-test-postgres-base postgresql); "
    build += f"docker build -q --build-arg BASE=$base -f {HERE}/postgres.Dockerfile -t ise-test-postgres {HERE}"
    for command in (["docker/build-workspace-image.sh"], ["docker/build-service-image.sh"], ["bash", "-c", build]):
        if command[0] == "bash" and docker("images", "-q", "ise-test-postgres"):
            continue
        began = time.monotonic()
        env = {**environment, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        print(f"{command[0]}: {time.monotonic() - began:.0f} s")
    found = Deployment(environment)
    clear_away(found)
    # the embedding model is here already; a deployment elsewhere fetches it
    docker("volume", "create", f"{NAME}_cache")
    mounts = ["-v", f"{NAME}_cache:/cache", "-v", f"{cache}:/from:ro", "--network", "none", "--user", "0"]
    copy = "cp -r /from/. /cache && chown -R ise:ise /cache"
    docker("run", "--rm", *mounts, "ise-service:latest", "sh", "-c", copy)
    began = time.monotonic()
    print(found.script("up"))
    print(f"up after {time.monotonic() - began:.0f} s")
    yield found
    found.script("down")
    clear_away(found)


def clear_away(deployment: Deployment) -> None:
    """Containers, volumes, network and secrets of this name."""
    for container in docker("ps", "-aq", "--filter", f"network={NAME}").split():
        docker("rm", "-f", "-v", container, check=False)
    for volume in ("data", "cache", "postgres"):
        docker("volume", "rm", "-f", f"{NAME}_{volume}", check=False)
    docker("network", "rm", NAME, check=False)
    (PROJECT / "docker" / f"{NAME}.env").unlink(missing_ok=True)


BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "ise_assets"}


def launch(deployment: Deployment, assets: list[str]) -> None:
    selector = {**REPOSITORY, "pipelineName": "__ASSET_JOB", "assetSelection": [{"path": [name]} for name in assets]}
    found = deployment.ask(
        """mutation ($params: ExecutionParams!) {
          launchPipelineExecution(executionParams: $params) { __typename ... on PythonError { message } }
        }""",
        params={"selector": selector, "runConfigData": {}, "mode": "default"},
    )
    assert found["launchPipelineExecution"]["__typename"] == "LaunchRunSuccess", found


def ended(deployment: Deployment) -> bool:
    return all(status in ("SUCCESS", "FAILURE", "CANCELED") for status in deployment.statuses().values())


def patiently(deployment: Deployment, true: Any, timeout_s: float) -> None:
    """`until`, while the web server may be away for a moment."""

    def looked() -> bool:
        try:
            return bool(true())
        except (OSError, AssertionError):
            return False

    until(looked, timeout_s, 2)


def test_ten_domains_survive_the_death_of_a_run_the_daemon_and_postgres(deployment: Deployment) -> None:
    rng = random.Random(int(os.environ.get("ISE_TEST_SEED") or 7))
    for sensor in ("carry_on", "go_on", "persona_lists"):  # this test starts what runs
        selector = {"repositoryName": "__repository__", "repositoryLocationName": "ise_assets", "sensorName": sensor}
        state = deployment.ask(
            "query ($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState { id } } } }",
            s=selector,
        )["sensorOrError"]["sensorState"]["id"]
        deployment.ask("mutation ($id: String!) { stopSensor(id: $id) { __typename } }", id=state)
    launch(deployment, ["persona_pool", "task_catalog"])
    patiently(deployment, lambda: list(deployment.statuses().values()) and ended(deployment), 300)
    began = time.monotonic()
    params = {"partitionNames": list(DOMAINS), "assetSelection": [{"path": [name]} for name in DOMAIN_ASSETS]}
    answer = deployment.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer

    patiently(deployment, lambda: len(deployment.runs()) >= 2, 300)
    time.sleep(25 + rng.uniform(0, 10))
    victim = rng.choice(deployment.runs())
    docker("kill", "-s", "KILL", victim)
    print(f"{time.monotonic() - began:.0f} s: killed the run container {victim}")
    time.sleep(rng.uniform(10, 20))
    docker("kill", "-s", "KILL", deployment.container("daemon"))
    docker(
        "start", deployment.container("daemon")
    )  # `docker kill` counts as stopped by hand; a crash restarts by itself
    print(f"{time.monotonic() - began:.0f} s: killed the daemon")
    time.sleep(rng.uniform(20, 30))
    docker("kill", "-s", "KILL", deployment.container("postgres"))
    time.sleep(2)
    docker("start", deployment.container("postgres"))
    print(f"{time.monotonic() - began:.0f} s: killed PostgreSQL")

    def backfilled() -> bool:
        found = deployment.ask(
            "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }",
            id=answer["backfillId"],
        )
        return found["partitionBackfillOrError"]["status"].startswith("COMPLETED") and ended(deployment)

    patiently(deployment, backfilled, 1500)
    print(f"{time.monotonic() - began:.0f} s: ended; {sorted(deployment.statuses().values())}")
    done = materialized(deployment)
    print(f"materialized by the backfill: {done} of {len(DOMAINS) * len(DOMAIN_ASSETS)}")
    missing = [name for name in DOMAINS if any(name not in done[asset] for asset in DOMAIN_ASSETS)]
    if missing:  # a run whose history could not be written while PostgreSQL was away: the same backfill again does what is missing
        print(f"again: {missing}")
        params["partitionNames"] = missing
        answer = deployment.ask(BACKFILL, params=params)["launchPartitionBackfill"]
        patiently(deployment, backfilled, 1500)
        done = materialized(deployment)
    assert all(set(done[asset]) == set(DOMAINS) for asset in DOMAIN_ASSETS), done
    print(f"{time.monotonic() - began:.0f} s: complete")
    assert not deployment.runs("-a"), "containers of runs are left"
    assert not docker("ps", "-aq", "--filter", "label=ise.workspace"), "workspaces are left"

    counts = deployment.lake(
        """
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
    )[0]
    print(counts)
    assert counts["kept"] == counts["sessions"] == counts["distinct_sessions"] == counts["traces"]
    assert counts["records"] == counts["distinct_records"] and counts["strays"] == 0
    assert counts["kept"] >= 25 and counts["good"] >= 0.95 * counts["kept"]
    assert int(counts["live_calls"]) == counts["calls"]


def materialized(deployment: Deployment) -> dict[str, list[str]]:
    """By asset, the domains that it was materialized for."""
    found = {}
    for asset in DOMAIN_ASSETS:
        answer = deployment.ask(
            """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
               assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } } }""",
            key={"path": [asset]},
        )
        found[asset] = answer["assetNodeOrError"]["assetPartitionStatuses"]["materializedPartitions"]
    return found


def test_the_viewer_shows_the_sessions_of_the_lake(deployment: Deployment) -> None:
    with urllib.request.urlopen(f"http://{VIEW}/", timeout=60) as answer:
        page = answer.read().decode()
    (one,) = deployment.lake("SELECT id FROM simulated_dialogues ORDER BY id LIMIT 1")
    with urllib.request.urlopen(f"http://{VIEW}/session/{one['id']}", timeout=60) as answer:
        assert one["id"] in answer.read().decode()
    assert "simulated" in page or "session" in page


def test_no_run_sees_the_engine_or_a_secret_that_is_none_of_its_business(deployment: Deployment) -> None:
    launch(deployment, ["task_catalog"])
    patiently(deployment, lambda: deployment.runs(), 120)
    (run, *_) = deployment.runs()
    seen = json.loads(docker("inspect", run))[0]
    assert not any("docker.sock" in mount["Source"] for mount in seen["Mounts"])
    assert {mount["Destination"] for mount in seen["Mounts"]} == {"/data", "/cache"}
    assert seen["HostConfig"]["CapDrop"] == ["ALL"] and not seen["HostConfig"]["Privileged"]
    assert seen["Config"]["User"] == "ise"
    patiently(deployment, lambda: ended(deployment), 180)
    secrets = [line.partition("=")[2] for line in (PROJECT / "docker" / f"{NAME}.env").read_text().splitlines()]
    assert len(secrets) == 2 and all(len(secret) >= 40 for secret in secrets)
    assert (PROJECT / "docker" / f"{NAME}.env").stat().st_mode & 0o077 == 0
    for service in ("code", "webserver", "daemon", "workspaces", "viewer"):
        said = subprocess.run(
            ["docker", "logs", deployment.container(service)], capture_output=True, text=True, check=True
        )
        assert not any(secret in said.stdout + said.stderr for secret in secrets), service


def test_down_and_up_again_keep_the_data(deployment: Deployment) -> None:
    before = deployment.lake("SELECT count(*) AS n FROM simulated_dialogues")
    deployment.script("down")
    assert not docker("ps", "-aq", "--filter", f"network={NAME}")
    deployment.script("up")
    assert deployment.lake("SELECT count(*) AS n FROM simulated_dialogues") == before
    assert deployment.statuses()
