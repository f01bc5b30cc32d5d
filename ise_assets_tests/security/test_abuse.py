"""What a workspace may do to itself and to what is beside it: it is stopped, the next call works, and nobody else notices.

Each has its control inside: a sibling, a canary or the same act where it is allowed.
"""

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ise_assets.execute.backends.docker import DockerChannel
from ise_assets.execute.cgroup import find_parents
from ise_assets.execute.models import WorkspaceDied
from ise_assets.execute.workspace import Backend, FileRefused, Limits, Workspace, open_backend
from ise_assets_tests.security.conftest import Probe

LIMITS = Limits(memory_mib=256, disk_mib=16, inodes=4096)
Attacked = Callable[[Probe], None]


async def alive(workspace: Workspace) -> bool:
    return (await workspace.exec("echo alive; ls", timeout_s=30)).stdout.startswith("alive\n")


async def test_the_probes_below_are_many() -> None:
    assert len([name for name in globals() if name.startswith("test_")]) >= 20


def test_killing_everything_leaves_agentd(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            await workspace.exec("sleep 700", background=True)
            for act in ("kill -9 1", "kill -STOP 1", "kill -9 -1", "pkill -9 python3", "kill -STOP -1; kill -9 -1"):
                await workspace.exec(act, timeout_s=5)
                assert await alive(workspace), act
            assert not (await workspace.process("poll", "p1"))["running"]  # the control: it does kill

    attacked(probe)


FORGER = r"""
import glob, os, struct
body = b'{"id": %d, "result": {"exit_code": 0, "stdout": "forged", "stderr": "", "duration_ms": 1}}'
frames = b"".join(struct.pack(">I", len(text)) + text for text in (body % n for n in range(200)))
for path in [*glob.glob("/proc/[0-9]*/fd/*"), "/dev/stdout", "/dev/tty", "/dev/console"]:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(handle, frames)
    except OSError:
        pass
for number in range(1, 64):
    try:
        os.write(number, frames)
    except OSError:
        pass
"""


def test_frames_cannot_be_forged(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            forged = await workspace.exec("python3 -", stdin=FORGER, timeout_s=10)
            assert "forged" in forged.stdout  # the control: its own pipe it can write to
            assert (await workspace.exec("echo true")).stdout == "true\n"

    attacked(probe)


HUNTER = r"""
import os, sys, time
until, met, hit = time.monotonic() + float(sys.argv[1]), set(), set()
while time.monotonic() < until:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            met.add(name)
            for file in ("mem", "environ", "fd/1", "maps"):
                try:
                    os.close(os.open(f"/proc/{name}/{file}", os.O_RDWR if file == "mem" else os.O_RDONLY | os.O_NONBLOCK))
                    if file in ("mem", "fd/1"):
                        hit.add(name)
                except OSError:
                    pass
print(len(met), sorted(hit), flush=True)
"""


def test_what_runs_the_checks_cannot_be_reached_into(attacked: Attacked) -> None:
    """A process of the agent's hunts every process that appears for its memory and its output, while checks run."""

    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            await workspace.write("/tmp/hunter.py", HUNTER.encode())
            await workspace.exec("sleep 60", background=True)
            hunt = asyncio.create_task(workspace.exec("python3 /tmp/hunter.py 2.5", timeout_s=20))
            await asyncio.sleep(0.5)
            checks = [
                await workspace.run_python("import os, time; time.sleep(0.1); print(os.getpid())") for _ in range(10)
            ]
            nested = await workspace.run_python(
                "import subprocess\n"
                "for _ in range(10): print(subprocess.run(['bash', '-c', 'sleep 0.05; echo $$'], capture_output=True, text=True).stdout)"
            )
            met, _, hit = (await hunt).stdout.partition(" ")
            assert int(met) > 12  # it saw them
            victims = hit.strip().strip("[]").replace("'", "").split(", ")
            assert not {check.stdout.strip() for check in checks} & set(victims)
            assert await _is_sleeper(workspace, victims)  # the control: the agent's own processes it can reach into
            if await _has_landlock():
                assert not set(nested.stdout.split()) & set(victims)

    attacked(probe)


async def _is_sleeper(workspace: Workspace, pids: list[str]) -> bool:
    return any([(await workspace.exec(f"cat /proc/{pid}/comm")).stdout == "sleep\n" for pid in pids])


async def _has_landlock() -> bool:
    import ctypes

    return bool(ctypes.CDLL(None).syscall(444, None, 0, 1) >= 2)


def test_a_fork_bomb_ends_and_a_sibling_goes_on(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with (
            await Workspace.start(backend, LIMITS) as workspace,
            await Workspace.start(backend, LIMITS) as sibling,
        ):
            bomb = asyncio.create_task(workspace.exec("b() { b | b & }; b; sleep 2", timeout_s=2))
            await asyncio.sleep(1)
            assert (await sibling.exec("echo $(echo alive)", timeout_s=20)).stdout == "alive\n"
            await bomb
            assert await alive(workspace)
        assert len(list(Path("/proc").glob("[0-9]*"))) < 2000

    attacked(probe)


HOG = "python3 -c 'import time; x = bytearray({mib} << 20); time.sleep({s}); print(\"kept\")'"


def test_a_memory_bomb_of_one_process_is_stopped(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            result = await workspace.exec(HOG.format(mib=700, s=3), timeout_s=30)
            assert "kept" not in result.stdout and result.exit_code != 0
            assert (await workspace.exec(HOG.format(mib=100, s=0), timeout_s=30)).stdout == "kept\n"

    attacked(probe)


def test_a_memory_bomb_of_many_processes_is_stopped_and_named(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            hogs = " ".join(f"{HOG.format(mib=80, s=4)} &" for _ in range(6))
            result = await workspace.exec(f"{hogs} wait -n; wait; exit 1", timeout_s=40)
            assert result.stdout.count("kept") <= 3
            assert "memory limit" in result.stderr
            assert await alive(workspace)

    attacked(probe)


def test_a_full_disk_is_an_error_and_not_an_end(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            for folder in ("/home/user", "/workspace", "/tmp", "/var/tmp", "/run", "/dev/shm"):
                result = await workspace.exec(f"head -c 100M /dev/zero > {folder}/fill")
                assert result.exit_code != 0 and "No space left" in result.stderr, folder
            assert await alive(workspace)
            # full disks are memory, too: the processes still have theirs
            assert (await workspace.exec(HOG.format(mib=100, s=0), timeout_s=30)).stdout == "kept\n"
            await workspace.exec(HOG.format(mib=700, s=1), timeout_s=30)
            assert await alive(workspace)
            await workspace.exec("rm -f /home/user/fill")
            assert (await workspace.exec("head -c 1M /dev/zero > fill")).exit_code == 0

    attacked(probe)


def test_files_without_end_come_to_an_end(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            script = "import os\nfor n in range(20000): os.close(os.open('/tmp/%d' % n, os.O_CREAT))"
            result = await workspace.exec("python3 -", stdin=script, timeout_s=30)
            assert "No space left" in result.stderr
            assert await alive(workspace)
            assert (await workspace.exec("find /tmp -delete 2>/dev/null; touch /tmp/x")).exit_code == 0

    attacked(probe)


def test_a_sparse_file_of_a_terabyte_is_refused(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            assert (await workspace.exec("truncate -s 1T sparse")).exit_code != 0
            assert (await workspace.exec("truncate -s 1M sparse")).exit_code == 0

    attacked(probe)


HOARDER = """
import socket, time
kept, size = [], 0
try:
    while True:
        pair = socket.socketpair()
        pair[0].setblocking(False)
        kept.append(pair)
        try:
            while True:
                size += pair[0].send(b"x" * 65536)
        except BlockingIOError:
            pass
except OSError:
    print(size >> 20, flush=True)
    time.sleep(60)
"""


def test_what_the_kernel_holds_for_a_workspace_is_bounded(attacked: Attacked, request: pytest.FixtureRequest) -> None:
    """Socket buffers are in no process's memory; without a ceiling these processes would hold twelve times what one does.

    The kernel may have to end agentd, too: then the workspace has died, and nobody else notices.
    """
    if "user" in request.node.name or ("bubblewrap" in request.node.name and not find_parents().folders):
        pytest.skip("KERNEL MEMORY NOT BOUNDED: this user may make no control groups, and nothing else counts it")

    async def probe(backend: Backend) -> None:
        async with (
            await Workspace.start(backend, LIMITS) as workspace,
            await Workspace.start(backend, LIMITS) as sibling,
        ):
            await workspace.write("/home/user/h.py", HOARDER.encode())
            one = await workspace.exec("timeout 20 python3 h.py & sleep 1.5; kill %1", timeout_s=30)
            assert int(one.stdout) > 50  # the control: one may
            many = "for n in $(seq 12); do python3 h.py & done; sleep 4; kill $(jobs -p)"
            try:
                told = (await workspace.exec(many, timeout_s=30)).stdout.split()
                assert sum(map(int, told)) < 12 * int(one.stdout)
            except WorkspaceDied:
                assert running("python3 h.py") == []
            assert await alive(sibling)

    attacked(probe)


def fingerprint(folder: str) -> str:
    entries = [(entry.name, entry.stat(follow_symlinks=False)) for entry in os.scandir(folder)]
    # devices change their times when anybody uses them
    names = sorted(f"{name} {state.st_mode} {state.st_mtime_ns * (folder != '/dev')}" for name, state in entries)
    return hashlib.sha256("".join(names).encode()).hexdigest()


def test_removing_everything_removes_only_the_workspaces_own(attacked: Attacked, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("host")

    async def probe(backend: Backend) -> None:
        before = fingerprint("/usr/bin"), fingerprint("/etc"), fingerprint("/dev")
        count = "find /usr /etc -xdev -type f 2>/dev/null | wc -l; sha256sum /usr/bin/bash /usr/bin/python3"
        async with await Workspace.start(backend, LIMITS) as workspace:
            image = (await workspace.exec(count, timeout_s=60)).stdout
            await workspace.exec("touch mine; rm -rf --no-preserve-root / 2>/dev/null; true", timeout_s=60)
            assert (await workspace.exec("ls -A /home /tmp /workspace 2>/dev/null | grep mine")).exit_code == 1
        async with await Workspace.start(backend, LIMITS) as other:
            assert (await other.exec(count, timeout_s=60)).stdout == image
        assert (fingerprint("/usr/bin"), fingerprint("/etc"), fingerprint("/dev")) == before

    attacked(probe)
    assert canary.read_text() == "host"


def test_output_without_end_is_bounded(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            result = await workspace.exec("yes; true", timeout_s=1)
            assert result.timed_out and result.stdout_bytes > 1_000_000 and len(result.stdout) < 20_000
            background = await workspace.exec("yes", background=True)
            await asyncio.sleep(0.5)
            assert len((await workspace.process("log", background.process_id))["stdout"]) < 20_000
            assert await alive(workspace)

    attacked(probe)


@pytest.mark.parametrize(
    "command",
    ["trap '' TERM INT HUP; sleep 70 & sleep 70", "kill -STOP $$; sleep 70", "setsid sleep 70 & disown; sleep 70"],
    ids=["ignores signals", "is stopped", "left its session"],
)
def test_what_will_not_end_is_ended(attacked: Attacked, command: str) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            began = time.monotonic()
            assert (await workspace.exec(command, timeout_s=0.5)).timed_out
            assert time.monotonic() - began < 15
            assert (await workspace.exec("pgrep -f '^sleep 70'")).exit_code == 1

    attacked(probe)


def test_a_child_that_holds_the_output_does_not_hold_the_call(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            began = time.monotonic()
            assert (await workspace.exec("sleep 60 & echo started")).stdout == "started\n"
            assert time.monotonic() - began < 10
            assert (await workspace.exec("pgrep sleep")).exit_code == 0

    attacked(probe)


def test_files_that_are_none_and_ways_that_lead_elsewhere_are_refused(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            await workspace.exec(
                "mkfifo fifo; ln -s /etc/shadow shadow; ln -s loop loop; ln -s /proc/1/environ secret; echo x > file"
            )
            for path in (
                "fifo",
                "shadow",
                "loop",
                "secret",
                "/dev/zero",
                "/dev/tty",
                ".",
                "../../proc/1/mem",
                "../../proc/kmsg",
            ):
                with pytest.raises(FileRefused):
                    await asyncio.wait_for(workspace.read_bytes(f"/home/user/{path}" if path[0] != "/" else path), 10)
            for path in ("/home/user/../../etc/passwd", "/home/user/fifo", "/usr/bin/bash", "/dev/null"):
                with pytest.raises(FileRefused):
                    await asyncio.wait_for(workspace.write(path, b"x"), 10)
            assert await workspace.read_bytes("/home/user/./file") == b"x\n"  # the control

    attacked(probe)


def test_odd_names_break_no_list(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            await workspace.mark_baseline()
            await workspace.exec(
                r"touch $'bad\xff\xfe' $'new\nline' $'\e[2Jclear' -- '-rf' '$(reboot)'; mkdir $'d\xff'"
            )
            assert len(await workspace.changes()) == 6

    attacked(probe)


def test_a_tree_as_deep_as_it_goes_is_listed(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        async with await Workspace.start(backend, LIMITS) as workspace:
            await workspace.mark_baseline()
            script = "import os\nfor _ in range(1200): os.mkdir('d'); os.chdir('d')"
            await workspace.exec("python3 -", stdin=script, timeout_s=30)
            assert len(await workspace.changes()) > 500
            assert await alive(workspace)

    attacked(probe)


def test_a_killed_sandbox_is_a_died_workspace(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        workspace = await Workspace.start(backend, LIMITS)
        waiting = asyncio.create_task(workspace.exec("sleep 60"))
        await asyncio.sleep(0.2)
        workspace._channel.process.kill()
        with pytest.raises(WorkspaceDied):
            await asyncio.wait_for(waiting, 20)
        with pytest.raises(WorkspaceDied):
            await workspace.exec("true")
        await workspace.stop()

    attacked(probe)


def running(pattern: str) -> list[str]:
    return subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False).stdout.split()


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def root_on_host(workspace: Workspace) -> str | None:
    """Where the host has mounted a container's root; bubblewrap mounts in a namespace of its own."""
    if not isinstance(workspace._channel, DockerChannel):
        return None
    command = ["docker", "inspect", "-f", "{{.GraphDriver.Data.MergedDir}}", workspace._channel.container]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_stop_leaves_nothing(attacked: Attacked) -> None:
    async def probe(backend: Backend) -> None:
        for _ in range(2):
            workspace = await Workspace.start(backend, LIMITS)
            await workspace.exec("setsid sleep 7201 & sleep 7201 & (trap '' TERM HUP; sleep 7201) & true")
            await workspace.exec("exec sleep 7201", background=True)
            assert running("^sleep 7201")  # the control: from the host they are seen
            root = root_on_host(workspace)
            assert root is None or root in mounts()
            await workspace.stop()
            assert running("^sleep 7201") == []
            assert f"nr_inodes={LIMITS.inodes}" not in mounts()
            assert root is None or root not in mounts()

    attacked(probe)


HOST = """
import asyncio, os, sys
from ise_assets.execute.workspace import Limits, Workspace, open_backend
async def main():
    workspaces = [await Workspace.start(open_backend(sys.argv[1]), Limits()) for _ in range(2)]
    for workspace in workspaces:
        await workspace.exec("setsid sleep 7301 & exec sleep 7301", background=True)
    print("up", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def containers_of(pid: int) -> list[str]:
    command = ["docker", "ps", "-a", "--format", '{{.ID}} {{.Label "ise.workspace.owner"}}']
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in told.splitlines() if f":{pid}:" in line]


@pytest.mark.parametrize("name", ["bubblewrap", "docker"])
def test_a_killed_host_process_leaves_nothing(name: str, request: pytest.FixtureRequest) -> None:
    if name == "docker":
        request.getfixturevalue("docker_engine")
    host = subprocess.Popen([sys.executable, "-c", HOST, name], stdout=subprocess.PIPE, text=True)
    assert host.stdout and host.stdout.readline() == "up\n"
    assert running("^sleep 7301")
    assert name == "bubblewrap" or len(containers_of(host.pid)) == 2
    host.kill()
    host.wait()
    for _ in range(100):
        if not running("^sleep 7301"):
            break
        time.sleep(0.1)
    assert running("^sleep 7301") == []
    open_backend(name)  # sweeps
    assert name == "bubblewrap" or containers_of(host.pid) == []
