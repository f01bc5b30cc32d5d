"""The deployment of docker/compose.yaml, for real: images built here, ten domains as run containers into the lake, kills in between.

Long: `make test-long`. Needs root (debootstrap), docker-compose and Debian's mirror. What it makes has a name of its own, so that
another deployment on the same engine stays untouched.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from ise_assets.intent.models import DOMAINS
from ise_assets.stage import DOMAIN_ASSETS
from ise_assets_tests.deploy.deployment import Deployment, build_images, docker, fill_cache, patiently

pytestmark = pytest.mark.long
PERSONAS_PER_LIST = 3


@pytest.fixture(scope="module")
def deployment(docker_engine: str, compose_command: None) -> Iterator[Deployment]:
    found = Deployment("isetest", 13000, ISE_SHIPPED_PERSONAS_PER_LIST=str(PERSONAS_PER_LIST))
    build_images(found.environment)
    found.clear_away()
    fill_cache(f"{found.name}_cache")
    began = time.monotonic()
    print(found.script("up"))
    print(f"up after {time.monotonic() - began:.0f} s")
    yield found
    found.script("down")
    found.clear_away()


def test_ten_domains_survive_the_death_of_a_run_the_daemon_and_postgres(deployment: Deployment) -> None:
    rng = random.Random(int(os.environ.get("ISE_TEST_SEED") or 7))
    deployment.stop_sensors()
    deployment.launch(["persona_pool", "task_catalog"])
    patiently(lambda: deployment.statuses() and deployment.ended(), 300)
    began = time.monotonic()
    backfill = deployment.backfill(DOMAINS)

    patiently(lambda: len(deployment.runs()) >= 2, 300)
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

    patiently(lambda: deployment.backfilled(backfill), 1500)
    print(f"{time.monotonic() - began:.0f} s: ended; {sorted(deployment.statuses().values())}")
    done = deployment.materialized()
    print(f"materialized by the backfill: {done} of {len(DOMAINS) * len(DOMAIN_ASSETS)}")
    missing = [name for name in DOMAINS if any(name not in done[asset] for asset in DOMAIN_ASSETS)]
    if missing:  # a run whose history could not be written while PostgreSQL was away: the same backfill again does what is missing
        print(f"again: {missing}")
        again = deployment.backfill(missing)
        patiently(lambda: deployment.backfilled(again), 1500)
        done = deployment.materialized()
    assert all(set(done[asset]) == set(DOMAINS) for asset in DOMAIN_ASSETS), done
    print(f"{time.monotonic() - began:.0f} s: complete")
    assert not deployment.runs("-a"), "containers of runs are left"
    assert not docker("ps", "-aq", "--filter", "label=ise.workspace"), "workspaces are left"
    counts = deployment.check_counts()
    assert counts["kept"] >= 25 and counts["good"] >= 0.95 * counts["kept"]


def test_the_viewer_shows_the_sessions_of_the_lake(deployment: Deployment) -> None:
    with urllib.request.urlopen(f"http://{deployment.view}/", timeout=60) as answer:
        page = answer.read().decode()
    (one,) = deployment.lake("SELECT id FROM simulated_dialogues ORDER BY id LIMIT 1")
    with urllib.request.urlopen(f"http://{deployment.view}/session/{one['id']}", timeout=60) as answer:
        assert one["id"] in answer.read().decode()
    assert "simulated" in page or "session" in page


def test_no_run_sees_the_engine_or_a_secret_that_is_none_of_its_business(deployment: Deployment) -> None:
    deployment.launch(["task_catalog"])
    patiently(lambda: deployment.runs(), 120)
    (run, *_) = deployment.runs()
    seen = json.loads(docker("inspect", run))[0]
    assert not any("docker.sock" in mount["Source"] for mount in seen["Mounts"])
    assert {mount["Destination"] for mount in seen["Mounts"]} == {"/data", "/cache"}
    assert seen["HostConfig"]["CapDrop"] == ["ALL"] and not seen["HostConfig"]["Privileged"]
    assert seen["Config"]["User"] == "ise"
    patiently(deployment.ended, 180)
    secrets = [line.partition("=")[2] for line in deployment.secrets.read_text().splitlines()]
    assert len(secrets) == 2 and all(len(secret) >= 40 for secret in secrets)
    assert deployment.secrets.stat().st_mode & 0o077 == 0
    for service in ("code", "webserver", "daemon", "workspaces", "viewer"):
        said = subprocess.run(
            ["docker", "logs", deployment.container(service)], capture_output=True, text=True, check=True
        )
        assert not any(secret in said.stdout + said.stderr for secret in secrets), service


def test_down_and_up_again_keep_the_data(deployment: Deployment) -> None:
    before = deployment.lake("SELECT count(*) AS n FROM simulated_dialogues")
    deployment.script("down")
    assert not docker("ps", "-aq", "--filter", f"network={deployment.name}")
    deployment.script("up")
    assert deployment.lake("SELECT count(*) AS n FROM simulated_dialogues") == before
    assert deployment.statuses()
