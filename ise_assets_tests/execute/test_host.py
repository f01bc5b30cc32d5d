"""The workspace host: real workspaces through a real connection, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ise_assets.execute.backends.remote import Remote
from ise_assets.execute.models import WorkspaceDied
from ise_assets.execute.workspace import Limits, Workspace
from ise_assets.settings import PROJECT
from ise_assets_tests.pipeline import Family, until

TOKEN = "a token of the tests"
SMALL = Limits(memory_mib=256, disk_mib=32)


class Host:
    """`ise workspace-host` as a process of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("ISE_")}
        environment = {**own, "ISE_HOME": str(folder), "ISE_WORKSPACE_TOKEN": TOKEN, "COLUMNS": "200", **settings}
        self.log = folder / "host.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ise_assets.cli", "workspace-host", "--port", "0"],
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        until(lambda: "workspaces by" in self.log.read_text() or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.log.read_text()
        self.port = int(self.log.read_text().partition("127.0.0.1:")[2].partition(",")[0])

    def backend(self, token: str = TOKEN) -> Remote:
        return Remote(f"127.0.0.1:{self.port}", token)

    def workspaces(self) -> int:
        """Sandboxes alive under it."""
        return len(Family.of(self.process.pid).left())


@contextmanager
def hosting(folder: Path, **settings: str) -> Iterator[Host]:
    host = Host(folder, **settings)
    try:
        yield host
    finally:
        if host.process.poll() is None:
            host.process.send_signal(signal.SIGTERM)
        host.process.wait(60)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with hosting(tmp_path_factory.mktemp("host"), ISE_MAX_HOSTED_WORKSPACES="4") as running:
        yield running


async def test_a_workspace_at_the_other_end_does_what_one_of_ours_does(host: Host) -> None:
    backend = host.backend()
    assert backend.probe() is None
    async with await Workspace.start(backend, SMALL) as workspace:
        await workspace.write("/home/user/notes.txt", "ä\n".encode() * 200_000)
        result = await workspace.exec("wc -l < notes.txt; echo wrong >&2; exit 3")
        assert (result.exit_code, result.stdout, result.stderr) == (3, "200000\n", "wrong\n")
        assert len(await workspace.read_bytes("/home/user/notes.txt")) == 600_000
        snapshot = await workspace.snapshot()
        assert (await workspace.exec("sleep 60", timeout_s=0.3)).timed_out
        many = await asyncio.gather(*(workspace.exec(f"echo {number}") for number in range(20)))
        assert [one.stdout for one in many] == [f"{number}\n" for number in range(20)]
    async with await Workspace.start(backend, SMALL, snapshot) as again:
        assert (await again.exec("wc -c < notes.txt")).stdout == "600000\n"


async def test_its_workspaces_are_gone_when_stop_returns(host: Host) -> None:
    before = host.workspaces()
    workspace = await Workspace.start(host.backend(), SMALL)
    await workspace.exec("sleep 100", background=True)
    assert host.workspaces() > before
    await workspace.stop()
    assert host.workspaces() == before


async def test_a_run_that_is_killed_takes_its_workspaces_with_it(host: Host) -> None:
    before = host.workspaces()
    program = (
        "import asyncio, sys\nfrom ise_assets.execute.backends.remote import Remote\n"
        "from ise_assets.execute.workspace import Limits, Workspace\n"
        "async def main():\n"
        "    w = await Workspace.start(Remote(sys.argv[1], sys.argv[2]), Limits(memory_mib=256, disk_mib=32))\n"
        "    print('up', flush=True)\n    await w.exec('sleep 100')\n"
        "asyncio.run(main())"
    )
    command = [sys.executable, "-c", program, f"127.0.0.1:{host.port}", TOKEN]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as run:
        assert run.stdout and run.stdout.readline() == b"up\n"
        until(lambda: host.workspaces() > before, 10)
        run.kill()
    until(lambda: host.workspaces() == before, 20)


async def test_who_does_not_know_the_token_gets_nothing(host: Host) -> None:
    before = host.workspaces()
    for token in ("", "another"):
        problem = host.backend(token).probe()
        assert problem and "ISE_WORKSPACE_TOKEN" in problem
    with pytest.raises(WorkspaceDied, match="not this host's"):
        await host.backend("another").open(SMALL)
    assert host.workspaces() == before
    until(lambda: "wrong token" in host.log.read_text(), 10)
    assert TOKEN not in host.log.read_text()


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">I", 1 << 30),
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 3) + b"{}}",
    ],
)
def test_strangers_are_sent_away(host: Host, greeting: bytes) -> None:
    with socket.create_connection(("127.0.0.1", host.port), 10) as stranger:
        stranger.sendall(greeting)
        stranger.shutdown(socket.SHUT_WR)
        stranger.settimeout(10)
        heard = b""
        while data := stranger.recv(4096):
            heard += data
    assert heard.count(b"challenge") == 1 and b"ok" not in heard
    assert host.backend().probe() is None


async def test_nobody_gets_more_than_the_host_allows(host: Host) -> None:
    with pytest.raises(WorkspaceDied, match="at most 1024 MiB"):
        await host.backend().open(Limits(memory_mib=4096))


async def test_more_than_there_is_room_for_wait(host: Host) -> None:
    backend = host.backend()
    first = [await Workspace.start(backend, SMALL) for _ in range(4)]
    fifth = asyncio.create_task(Workspace.start(backend, SMALL))
    await asyncio.sleep(0.5)
    assert not fifth.done()
    await first[0].stop()
    async with await fifth as workspace:
        assert (await workspace.exec("echo in")).stdout == "in\n"
    for workspace in first[1:]:
        await workspace.stop()


async def test_a_host_that_dies_is_told_as_the_workspaces_death(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        workspace = await Workspace.start(host.backend(), SMALL)
        calls = asyncio.gather(workspace.exec("sleep 30"), return_exceptions=True)
        await asyncio.sleep(0.5)
        host.process.kill()
        (ended,) = await calls
        assert isinstance(ended, WorkspaceDied) and "workspace host" in str(ended)
        await workspace.stop()
        with pytest.raises(WorkspaceDied, match=r"127\.0\.0\.1"):
            await host.backend().open(SMALL)


async def test_a_host_that_is_ended_takes_its_workspaces_with_it(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        workspace = await Workspace.start(host.backend(), SMALL)
        family = Family.of(host.process.pid)
        began = time.monotonic()
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(30) == 0
        assert time.monotonic() - began < 20
        assert not family.left()
        with pytest.raises(WorkspaceDied):
            await workspace.exec("echo still there")
        await workspace.stop()


def test_without_an_address_or_a_token_the_remedy_is_said() -> None:
    for backend in (Remote("", "x"), Remote("127.0.0.1:1", "")):
        assert "ISE_WORKSPACE_HOST" in (backend.probe() or "")
    assert "127.0.0.1:1" in (Remote("127.0.0.1:1", "x").probe() or "")


def test_a_host_without_a_token_does_not_start(tmp_path: Path) -> None:
    environment = {**os.environ, "ISE_HOME": str(tmp_path), "ISE_WORKSPACE_TOKEN": ""}
    command = [sys.executable, "-m", "ise_assets.cli", "workspace-host"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "ISE_WORKSPACE_TOKEN is not set" in done.stderr
