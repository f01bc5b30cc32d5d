"""Two machines: the second one an engine in a network namespace of its own, spoken to by TLS. Runs spread; then it dies.

Long: `make test-long`. Needs what test_compose.py needs, and openssl and iproute2. Both engines have their own images, networks and
containers; what they share is a folder, as machines share a network file system.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ise_assets.intent.models import DOMAINS
from ise_assets.launcher import ENGINE_TAG
from ise_assets.stage import DOMAIN_ASSETS
from ise_assets_tests.deploy.deployment import Deployment, build_images, docker, fill_cache, patiently
from ise_assets_tests.pipeline import until

pytestmark = pytest.mark.long
HEAD, OTHER, POOL = "10.213.77.1", "10.213.77.2", "10.213.128.0/20"
NAMESPACE, OUTSIDE, INSIDE = "isehost2", "isehost2-out", "isehost2-in"
TCP = f"tcp://{OTHER}:2376"


def sh(command: str, check: bool = True) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


class SecondMachine:
    """A Docker engine in a network namespace; the address `socket` is this test's own way in."""

    def __init__(self, folder: Path, images: Path) -> None:
        self.folder, self.images = folder, images
        self.socket = f"unix://{folder}/docker.sock"
        self.certs = folder / "certs"
        self._forwarded = sh("sysctl -n net.ipv4.ip_forward")
        sh(f"ip link del {OUTSIDE}; ip netns del {NAMESPACE}", check=False)  # of a test that was killed
        sh(f"""set -e
            ip netns add {NAMESPACE}
            ip link add {OUTSIDE} type veth peer name {INSIDE} netns {NAMESPACE}
            ip addr add {HEAD}/24 dev {OUTSIDE} && ip link set {OUTSIDE} up
            ip -n {NAMESPACE} addr add {OTHER}/24 dev {INSIDE}
            ip -n {NAMESPACE} link set {INSIDE} up && ip -n {NAMESPACE} link set lo up
            ip -n {NAMESPACE} route add default via {HEAD}
            ip route add {POOL} via {OTHER}
            sysctl -q -w net.ipv4.ip_forward=1
            nsenter --net=/run/netns/{NAMESPACE} sysctl -q -w net.ipv4.ip_forward=1""")
        self._make_certs()
        tls = f"--tlsverify --tlscacert {self.certs}/ca.pem --tlscert {self.certs}/server.pem --tlskey {self.certs}/server.key"
        places = f"--data-root {images} --exec-root {folder}/exec --pidfile {folder}/pid"
        network = f"--bridge=none --iptables=false --ip6tables=false --default-address-pool base={POOL},size=24"
        self.log = folder / "log"
        # a network namespace and no other: the engine needs the machine's control groups
        self.process = subprocess.Popen(
            f"nsenter --net=/run/netns/{NAMESPACE} dockerd {places} {network} {tls} -H {self.socket} -H {TCP}".split(),
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )
        until(lambda: bool(docker("version", "-f", "{{.Server.Version}}", check=False, engine=self.socket)), 60, 0.5)

    def _make_certs(self) -> None:
        """An authority, the engine's certificate and the launcher's; the services' user reads the latter."""
        self.certs.mkdir()
        sh(f"""set -e; cd {self.certs}
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
            sign() {{ openssl x509 -req -days 2 -CA ca.pem -CAkey ca.key -CAcreateserial -in $1.csr -out $1.pem -extfile <(echo $2); }}
            for one in server cert; do openssl req -newkey rsa:2048 -nodes -subj /CN=$one -keyout $one.key -out $one.csr; done
            sign server subjectAltName=IP:{OTHER}; sign cert extendedKeyUsage=clientAuth
            mv cert.key key.pem; chown 1000 key.pem""")

    def die(self) -> None:
        """All of its processes at once, and its network, as when the power goes."""
        sh(f"ip link set {OUTSIDE} down")
        held = docker("ps", "-q", engine=self.socket).split()
        pids = [int(docker("inspect", "-f", "{{.State.Pid}}", one, engine=self.socket)) for one in held]
        found = subprocess.run(["pgrep", "-f", f"{self.folder}/"], capture_output=True, text=True, check=True)
        engine = map(int, found.stdout.split())  # containerd and its shims among it
        for pid in [self.process.pid, *engine, *pids]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(30)

    def clear_away(self) -> None:
        """Nothing of it stays."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in reversed([one for one in mounted if one.startswith((f"{self.images}/", f"{self.folder}/"))]):
            sh(f"umount -l {place}")  # what the dead engine has left
        if self.images.exists():
            shutil.rmtree(self.images)
        sh(f"ip route del {POOL}; ip link del {OUTSIDE}; ip netns del {NAMESPACE}", check=False)
        sh(f"sysctl -q -w net.ipv4.ip_forward={self._forwarded}")


@pytest.fixture(scope="module")
def second(
    docker_engine: str, compose_command: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecondMachine]:
    if missing := [name for name in ("openssl", "ip", "nsenter", "sysctl") if not shutil.which(name)]:
        pytest.skip(f"SEVERAL MACHINES NOT TESTED: no {', '.join(missing)}")
    images = Path(os.environ.get("ISE_DOCKER_ROOT", "/var/lib/ise-docker") + "-2")
    machine = SecondMachine(tmp_path_factory.mktemp("host2"), images)
    try:
        yield machine
    finally:
        machine.clear_away()


@pytest.fixture(scope="module")
def deployment(second: SecondMachine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    shared = tmp_path_factory.mktemp("shared")
    os.chown(shared, 1000, 1000)
    found = Deployment(
        "isehosts",
        14000,
        ISE_SHIPPED_PERSONAS_PER_LIST="2",
        ISE_HEAD=HEAD,
        ISE_ENGINES=f"unix:///var/run/docker.sock, {TCP}",
        ISE_ENGINE_CERTS=str(second.certs),
        ISE_DATA_TYPE="none",
        ISE_DATA_OPTIONS="bind",
        ISE_DATA_DEVICE=str(shared),
    )
    build_images(found.environment)
    found.clear_away()
    began = time.monotonic()
    sh(f"set -o pipefail; docker save ise-service ise-workspace | docker -H {second.socket} load")
    print(f"images to the second machine: {time.monotonic() - began:.0f} s")
    for engine in (None, second.socket):
        fill_cache(f"{found.name}_cache", engine)
    print(found.script("up"))
    print(found.script("up", "workspaces", engine=second.socket))
    yield found
    found.script("down")
    found.clear_away()


def by_engine(deployment: Deployment, *statuses: str) -> Counter[str]:
    """Runs of the backfill by the engine they were given to."""
    found = deployment.ask("{ runsOrError(limit: 500) { ... on Runs { results { status tags { key value } } } } }")
    tags = [
        {tag["key"]: tag["value"] for tag in run["tags"]}
        for run in found["runsOrError"]["results"]
        if not statuses or run["status"] in statuses
    ]
    return Counter(one[ENGINE_TAG] for one in tags if "dagster/backfill" in one and ENGINE_TAG in one)


def test_a_backfill_spreads_over_two_machines_and_outlives_one(deployment: Deployment, second: SecondMachine) -> None:
    deployment.stop_sensors()
    deployment.launch(["persona_pool", "task_catalog"])
    patiently(lambda: deployment.statuses() and deployment.ended(), 300)
    began = time.monotonic()
    backfill = deployment.backfill(DOMAINS)
    patiently(lambda: len(by_engine(deployment, "SUCCESS")) == 2, 900)
    print(f"{time.monotonic() - began:.0f} s: both have finished runs: {dict(by_engine(deployment, 'SUCCESS'))}")
    until(lambda: bool(deployment.runs(engine=second.socket)), 120, 0.5)
    time.sleep(15)  # amid their sessions
    lost = by_engine(deployment, "STARTED")[TCP]
    second.die()
    print(f"{time.monotonic() - began:.0f} s: the second machine died with {lost} runs")
    assert lost >= 1

    patiently(lambda: deployment.backfilled(backfill), 1500)
    print(
        f"{time.monotonic() - began:.0f} s: ended; {Counter(deployment.statuses().values())}, {dict(by_engine(deployment))}"
    )
    failed = by_engine(deployment, "FAILURE")
    assert failed.keys() == {TCP} and failed[TCP] >= lost, (
        "its runs counted as dead (one more, had it just been given one), no other"
    )
    done = deployment.materialized()
    assert all(set(done[asset]) == set(DOMAINS) for asset in DOMAIN_ASSETS), done
    assert not deployment.runs("-a"), "containers of runs are left"
    counts = deployment.check_counts()
    assert counts["kept"] >= 15 and counts["good"] >= 0.95 * counts["kept"]
