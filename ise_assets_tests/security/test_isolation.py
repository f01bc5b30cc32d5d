"""Hostile commands in a workspace: each probe has an expected result, and a control that shows it could fail."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from ise_assets.execute.workspace import Limits, Workspace, open_backend


@pytest_asyncio.fixture
async def workspace(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLANTED_API_KEY", "planted-secret-value")
    async with await Workspace.start(open_backend("auto"), Limits(memory_mib=192, disk_mib=16)) as started:
        yield started


async def test_the_hosts_environment_is_not_there(workspace: Workspace) -> None:
    command = "env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'"
    assert "planted-secret-value" not in (await workspace.exec(command)).stdout
    control = subprocess.run(["bash", "-c", "env"], capture_output=True, text=True, check=True)
    assert "planted-secret-value" in control.stdout


async def test_host_files_are_not_there(workspace: Workspace, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("host")
    for path in (canary, Path("/etc/shadow"), Path("/var/run/docker.sock"), Path("/root/.bashrc"), Path.cwd()):
        assert (await workspace.exec(f"cat '{path}' || ls '{path}'")).exit_code != 0, path
    assert canary.read_text() == "host"


async def test_rm_rf_root_hurts_only_the_workspace(workspace: Workspace, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("host")
    await workspace.exec("rm -rf --no-preserve-root / 2>/dev/null; true")
    assert canary.exists()
    assert Path("/usr/bin/python3").exists()
    assert Path("/dev/null").is_char_device()
    async with await Workspace.start(open_backend("auto"), Limits()) as other:
        assert (await other.exec("echo alive")).stdout == "alive\n"


@pytest.mark.parametrize("path", ["/usr/x", "/etc/x", "/x", "/opt/x", "/usr/local/x", "/dev/x", "/root/x"])
async def test_writing_outside_the_home_is_refused(workspace: Workspace, path: str) -> None:
    assert (await workspace.exec(f"touch {path}")).exit_code != 0
    assert (await workspace.exec("touch ~/x /tmp/x")).exit_code == 0


@pytest.mark.parametrize(
    "command",
    [
        "mount -t tmpfs none /tmp",
        "unshare -Ur true",
        "unshare -n true",
        "mknod /tmp/sda b 8 0",
        "chroot / true",
        "dmesg",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo b > /proc/sysrq-trigger",
        "setpriv --reuid 0 true",
        "gdb -p 1 --batch || strace -p 1 || cat /proc/1/fd/0",
        "nsenter -t 1 -m true",
    ],
)
async def test_privileged_acts_fail(workspace: Workspace, command: str) -> None:
    assert (await workspace.exec(command, timeout_s=10)).exit_code != 0


_CALLS = """
import ctypes, errno, os, platform, socket
libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"
numbers = {"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
           "add_key": (248, 217), "keyctl": (250, 219), "ptrace": (101, 117), "open_by_handle_at": (304, 265)}
for name, pair in numbers.items():
    result = libc.syscall(pair[arm], 0, 0, 0, 0, 0)
    print(name, errno.errorcode.get(ctypes.get_errno()) if result == -1 else "ok")
for family in (40, 38, 17, 3):
    try:
        socket.socket(family, socket.SOCK_STREAM)
        print("socket", family, "ok")
    except OSError as error:
        print("socket", family, errno.errorcode[error.errno])
"""


async def test_the_filter_denies_system_calls_and_families_that_nobody_needs(workspace: Workspace) -> None:
    lines = (await workspace.run_python(_CALLS)).stdout.splitlines()
    assert len(lines) == 12
    assert all(line.endswith(("EPERM", "EAFNOSUPPORT")) for line in lines), lines
    control = subprocess.run([sys.executable, "-c", _CALLS], capture_output=True, text=True, check=True)
    assert control.stdout.splitlines() != lines


async def test_only_loopback_is_there_and_it_is_not_the_hosts(workspace: Workspace) -> None:
    interfaces = (
        await workspace.exec("ls /sys/class/net 2>/dev/null || cut -d: -f1 /proc/net/dev | tail -n +3")
    ).stdout
    assert interfaces.split() == ["lo"]
    assert len((await workspace.exec("cat /proc/net/route")).stdout.splitlines()) <= 1
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        probe = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
        assert (await workspace.exec(probe)).exit_code != 0
        assert subprocess.run(["bash", "-c", probe], check=False).returncode == 0


async def test_abstract_sockets_of_the_host_are_out_of_reach(workspace: Workspace) -> None:
    name = f"\0ise-probe-{os.getpid()}"
    code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({name!r}); print('connected')"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        assert (await workspace.run_python(code)).exit_code != 0
        control = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert control.stdout == "connected\n"


async def test_host_processes_are_neither_seen_nor_signalled(workspace: Workspace) -> None:
    assert (await workspace.exec(f"kill -0 {os.getpid()}")).exit_code != 0
    pids = (await workspace.exec("ls /proc | grep -c '^[0-9]'")).stdout
    assert int(pids) < 10


async def test_agentd_cannot_be_killed_traced_or_spoken_for(workspace: Workspace) -> None:
    await workspace.exec("kill -9 1; kill -9 -1")
    assert (await workspace.exec("echo alive")).stdout == "alive\n"
    forging = "printf '\\0\\0\\0\\2{}' > /proc/1/fd/1; printf '\\0\\0\\0\\2{}' > /proc/1/fd/4"
    await workspace.exec(forging)
    assert (await workspace.exec("echo alive")).stdout == "alive\n"


async def test_a_fork_bomb_ends_and_a_sibling_goes_on(workspace: Workspace) -> None:
    async with await Workspace.start(open_backend("auto"), Limits()) as sibling:
        bomb = asyncio.create_task(workspace.exec("b() { b | b & }; b; sleep 3", timeout_s=3))
        await asyncio.sleep(1)
        assert (await sibling.exec("echo alive", timeout_s=20)).stdout == "alive\n"
        await bomb
    assert len(list(Path("/proc").glob("[0-9]*"))) < 2000


async def test_a_memory_bomb_of_many_processes_is_stopped(workspace: Workspace) -> None:
    hog = "python3 -c 'x = bytearray(100 << 20); import time; time.sleep(6); print(\"done\")'"
    result = await workspace.exec(f"{hog} & {hog} & {hog} & {hog} & wait", timeout_s=40)
    assert result.stdout.count("done") < 2
    assert (await workspace.exec(hog.replace("6", "0"))).stdout == "done\n"


async def test_disk_and_file_size_have_an_end(workspace: Workspace) -> None:
    assert (await workspace.exec("head -c 64M /dev/zero > fill")).exit_code != 0
    assert (await workspace.exec("rm fill; truncate -s 1T sparse")).exit_code != 0
    assert (await workspace.exec("echo alive")).stdout == "alive\n"


async def test_endless_output_does_not_fill_the_host(workspace: Workspace) -> None:
    result = await workspace.exec("yes", timeout_s=1)
    assert result.timed_out
    assert len(result.stdout) < 20_000


def test_killing_the_host_process_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import asyncio\n"
        "from ise_assets.execute.workspace import Limits, Workspace, open_backend\n"
        "async def main():\n"
        "    w = await Workspace.start(open_backend('auto'), Limits())\n"
        "    await w.exec('sleep 4242', background=True)\n"
        "    print(w._channel.process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    host = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    sandbox = int(host.stdout.readline())
    host.kill()
    host.wait()
    for _ in range(200):
        if not Path(f"/proc/{sandbox}").exists() or "Z" in Path(f"/proc/{sandbox}/stat").read_text().split()[2]:
            break
        subprocess.run(["sleep", "0.05"], check=True)
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 4242" not in listing
