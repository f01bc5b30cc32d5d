"""What a workspace must not reach: each script prints REACHED when it got through, and does so unconfined on this machine.

Nothing is sent to another machine: network probes look at interfaces, routes and listeners of the test itself.
"""

import contextlib
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ise_assets.execute.workspace import Backend, Limits, Workspace
from ise_assets_tests.security.conftest import Probe

SECRET = "planted-secret-value"


@dataclass(frozen=True)
class Reach:
    """One attack. `control` is run unconfined in its stead where the attack itself would do harm there; `root`: only root can."""

    script: str
    control: str = ""
    root: bool = False
    python: bool = False


def bash(script: str, control: str = "", root: bool = False) -> Reach:
    return Reach(script, control, root)


def python(script: str, control: str = "", root: bool = False) -> Reach:
    return Reach(textwrap.dedent(script), textwrap.dedent(control), root, python=True)


def system_call(x86: int, arm: int, *arguments: object, control: str = "", root: bool = False) -> Reach:
    """Reached when anything but the filter answers: another errno than EPERM, ENOSYS and EAFNOSUPPORT, or success."""
    return python(
        f"""
        import ctypes, errno, platform
        number = {x86} if platform.machine() == "x86_64" else {arm}
        libc = ctypes.CDLL(None, use_errno=True)
        result = libc.syscall(number, {", ".join(f"ctypes.c_long({argument})" for argument in arguments)})
        filtered = result == -1 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT)
        print("filtered" if filtered else "REACHED")
        """,
        control,
        root,
    )


def opens(path: str, mode: str, control_path: str = "", root: bool = False) -> Reach:
    """Reached when the file can be opened; nothing is written to it."""
    script = "import os; os.close(os.open({!r}, os.{})); print('REACHED')"
    return python(script.format(path, mode), script.format(control_path, mode) if control_path else "", root)


REACHES = {
    "environment of the host": bash(f"env | grep -q {SECRET} && echo REACHED"),
    "environments of processes": bash(
        f"cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -q {SECRET} && echo REACHED"
    ),
    "environment of agentd": bash(
        "grep -q AGENTD_SETTINGS /proc/1/environ && echo REACHED",
        "AGENTD_SETTINGS=x bash -c 'grep -q AGENTD_SETTINGS /proc/self/environ && echo REACHED'",
    ),
    "a file of the host": bash("cat {canary} && echo REACHED"),
    "the home of root": bash("ls -A /root | grep -q . && echo REACHED", root=True),
    "shadow passwords": bash("grep -q ^root: /etc/shadow && echo REACHED", root=True),
    "the project's folder": bash("ls {project}/pyproject.toml && echo REACHED"),
    "a unix socket by path": python("import socket; socket.socket(socket.AF_UNIX).connect({path!r}); print('REACHED')"),
    "an abstract unix socket": python(
        "import socket; socket.socket(socket.AF_UNIX).connect({abstract!r}); print('REACHED')"
    ),
    "the engine's socket": bash(
        "for s in /run/docker.sock /var/run/docker.sock /run/ise-docker/docker.sock; do [ -S $s ] && echo REACHED; done; true",
        "[ -S {path} ] && echo REACHED",
    ),
    "the host's loopback": bash("exec 3<>/dev/tcp/127.0.0.1/{port} && echo REACHED"),
    "the host's loopback by IPv6": bash(
        "exec 3<>/dev/tcp/::ffff:127.0.0.1/{port} && echo REACHED", "exec 3<>/dev/tcp/127.0.0.1/{port} && echo REACHED"
    ),
    "an interface beside loopback": bash(
        "tail -n +3 /proc/net/dev | cut -d: -f1 | grep -qv '^ *lo$' && echo REACHED",
        "echo ' eth0:' | cut -d: -f1 | grep -qv '^ *lo$' && echo REACHED",
    ),
    "a route": bash(
        "tail -n +2 /proc/net/route | grep -q . && echo REACHED",
        "printf 'Iface\\neth0\\n' | tail -n +2 | grep -q . && echo REACHED",
    ),
    "raw packets": python("import socket; socket.socket(17, 3); print('REACHED')", root=True),
    "raw IP": python("import socket; socket.socket(2, 3, 1); print('REACHED')", root=True),
    "vsock": python(
        """
        import errno, socket
        try:
            socket.socket(40, socket.SOCK_STREAM)
            print("REACHED")
        except OSError as error:  # what the kernel itself says where it has no vsock at all
            print("filtered" if error.errno == errno.EAFNOSUPPORT else "REACHED")
        """,
        "print('REACHED')",
    ),
    "other socket families": python(
        """
        import errno, socket
        for family in (3, 4, 5, 9, 17, 21, 29, 30, 31, 38, 39, 41, 44):
            try:
                socket.socket(family, socket.SOCK_RAW if family in (17, 29) else socket.SOCK_STREAM)
                print("REACHED", family)
            except OSError as error:
                if error.errno != errno.EAFNOSUPPORT:
                    print("REACHED", family, error)
        """,
        "import socket; socket.socket(16, socket.SOCK_RAW); print('REACHED')",
    ),
    "another process of the host": bash(
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q '[p]robe{pid}marker' && echo REACHED"
    ),
    "a signal to the host": bash("kill -0 {pid} && echo REACHED"),
    "writing to the system": bash(
        "for d in / /usr /usr/local /etc /opt /root /dev /proc /sys /var /srv /bin /usr/lib; do"
        " touch $d/x 2>/dev/null && echo REACHED $d; done; true",
        "touch {folder}/x && echo REACHED",
    ),
    "overwriting a program": bash(
        "for f in /usr/bin/bash /etc/passwd /etc/hosts /etc/resolv.conf; do (exec 3>>$f) 2>/dev/null && echo REACHED; done; true",
        "exec 3>>{canary} && echo REACHED",
    ),
    "mount": bash(
        "mount -t tmpfs none /tmp && echo REACHED", "unshare -m mount -t tmpfs none /tmp && echo REACHED", root=True
    ),
    "remounting the root": bash(
        "mount -o remount,rw / && echo REACHED",
        "unshare -m sh -c 'mount -t tmpfs -o ro none /mnt && mount -o remount,rw /mnt' && echo REACHED",
        root=True,
    ),
    "a block device": bash("mknod /tmp/b b 8 0 && echo REACHED", "mknod {folder}/b b 8 0 && echo REACHED", root=True),
    "a character device": bash(
        "mknod /tmp/c c 1 1 && echo REACHED", "mknod {folder}/c c 1 3 && echo REACHED", root=True
    ),
    "devices": bash(
        "ls -l /dev | grep -E '^[bc]' | grep -vE ' (null|zero|full|random|urandom|tty|ptmx|console)$' | grep -q . && echo REACHED",
        root=True,
    ),
    "kernel memory": opens("/dev/mem", "O_RDONLY", "/dev/zero"),
    "a user namespace": bash("unshare -Ur true && echo REACHED", root=True),
    "a network namespace": bash("unshare -n true && echo REACHED", root=True),
    "a namespace by clone": system_call(56, 220, 0x10000011, 0, 0, 0, 0, root=True),
    "a namespace by clone3": system_call(435, 435, 0, 0),
    "entering a namespace": bash(
        "nsenter -t 1 -m true && echo REACHED", "nsenter -t $$ -m true && echo REACHED", root=True
    ),
    "another root": python("import os; os.chroot('/'); print('REACHED')", root=True),
    "becoming root": python("import os; os.setuid(0); print('REACHED')", root=True),
    "privileges by executing": bash(r"grep -qP '^NoNewPrivs:\t0' /proc/self/status && echo REACHED"),
    "capabilities": bash(
        r"grep -E '^Cap(Eff|Prm|Bnd|Amb)' /proc/self/status | grep -qv '0000000000000000' && echo REACHED"
    ),
    "programs that raise privileges": bash(
        "find / -xdev -type f -perm /6000 2>/dev/null | while read -r f; do $f --help 2>/dev/null | head -c0;"
        " [ $(stat -c %u $f) = 0 ] && grep -qP '^NoNewPrivs:\\t0' /proc/self/status && echo REACHED; done; true",
        "find {setuid} -perm /6000 | grep -q . && echo REACHED",
    ),
    "real-time priority": python(
        "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); print('REACHED')", root=True
    ),
    "a better priority": python("import os; os.nice(-5); print('REACHED')", root=True),
    "io_uring": system_call(425, 425, 0, 0),
    "bpf": system_call(321, 280, 0, 0, 0, root=True),
    "perf events": system_call(298, 241, 0, 0, 0, 0, 0),
    "userfaultfd": system_call(323, 282, 1, root=True),
    "keyrings": system_call(250, 219, 0, -3, 0),
    "adding a key": system_call(248, 217, 0, 0, 0, 0, 0),
    "ptrace": system_call(101, 117, 0, 0, 0, 0),
    "another process's memory by call": system_call(310, 270, 1, 0, 0, 0, 0, 0),
    "files by handle": system_call(304, 265, -1, 0, 0, root=True),
    "kernel modules": system_call(175, 105, 0, 0, 0, control="print('REACHED')"),  # not every kernel takes modules
    "rebooting": system_call(169, 142, 0, 0, 0, 0, root=True),  # without the magic numbers the kernel only says EINVAL
    "memory of nobody": system_call(319, 279, 0, 0),
    "shared memory of nobody": system_call(29, 194, 0, 4096, 0o600),
    "message queues of nobody": system_call(68, 186, 0, 0o600),
    "the clock": system_call(159, 171, 0),
    "the kernel's log by call": system_call(103, 116, 10, 0, 0, root=True),
    "the kernel's log": bash("dmesg >/dev/null && echo REACHED", root=True),
    "sysrq": opens("/proc/sysrq-trigger", "O_WRONLY", "/proc/sys/vm/drop_caches", root=True),
    "core_pattern": opens("/proc/sys/kernel/core_pattern", "O_WRONLY", root=True),
    "kernel settings": opens("/proc/sys/vm/drop_caches", "O_WRONLY", root=True),
    "control groups": bash(
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/x 2>/dev/null && echo REACHED; done; true",
        "mkdir {folder}/cgroup && echo REACHED",
    ),
    "devices' settings": bash(
        "find /sys -type f -writable 2>/dev/null | head -n 40 | while read -r f; do (exec 3>>$f) 2>/dev/null && echo REACHED;"
        " done; true",
        "find {canary} -writable | while read -r f; do (exec 3>>$f) && echo REACHED; done",
    ),
    "typing into a terminal": python(
        """
        import ctypes, errno, os, pty
        libc = ctypes.CDLL(None, use_errno=True)
        pid, master = pty.fork()
        if pid == 0:
            filtered = 0
            for request in (0x5412, 0x100005412):
                done = libc.ioctl(0, ctypes.c_ulong(request), ctypes.byref(ctypes.c_char(b"x")))
                filtered += done == -1 and ctypes.get_errno() == errno.EPERM
            os._exit(filtered)
        print("filtered" if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2 else "REACHED")
        """
    ),
    "agentd's memory": opens("/proc/1/mem", "O_RDWR", "/proc/self/mem"),
    "agentd's pipes": bash(
        "for f in /proc/1/fd/*; do (exec 3>>$f) 2>/dev/null && echo REACHED; done; ls /proc/1/fd/ 2>/dev/null | grep -q . && echo REACHED",
        "for f in /proc/self/fd/1; do (exec 3>>$f) && echo REACHED; done",
    ),
    "tracing agentd": bash("(gdb -p 1 --batch || strace -p 1) 2>/dev/null && echo REACHED", "echo REACHED"),
}


@dataclass(frozen=True)
class World:
    """What the test puts on the host for the probes to go after."""

    places: dict[str, object]

    def fill(self, script: str) -> str:
        for name, value in self.places.items():
            script = script.replace("{" + name + "!r}", repr(value)).replace("{" + name + "}", str(value))
        return script


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("host")
    canary = folder / "canary"
    canary.write_text("host\n")
    setuid = folder / "setuid"
    setuid.write_text("#!/bin/sh\n")
    setuid.chmod(0o4755)
    marker = f"probe{os.getpid()}marker"
    abstract = f"\0ise-probe-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for address in (str(folder / "socket"), abstract):
            unix = stack.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(address)
            unix.listen()
        sleeper = stack.enter_context(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)", marker]))
        stack.callback(sleeper.kill)
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("PLANTED_API_KEY", SECRET)
        yield World(
            {
                "canary": canary,
                "folder": folder,
                "setuid": setuid,
                "path": str(folder / "socket"),
                "abstract": abstract,
                "port": listener.getsockname()[1],
                "marker": marker,
                "pid": os.getpid(),
                "project": Path(__file__).parents[2],
            }
        )


def test_there_are_forty_probes_and_more() -> None:
    assert len(REACHES) >= 60


def test_nothing_is_reached(world: World, attacked: Callable[[Probe], None]) -> None:
    """All attacks in one workspace, so that one that changes something would show in those after it."""

    async def probe(backend: Backend) -> None:
        reached = {}
        async with await Workspace.start(backend, Limits(memory_mib=256, disk_mib=16)) as workspace:
            for name, reach in REACHES.items():
                script = world.fill(reach.script)
                command = workspace.run_python(script) if reach.python else workspace.exec(script, timeout_s=10)
                result = await command
                if "REACHED" in result.stdout or result.timed_out:
                    reached[name] = result.stdout + result.stderr
                if reach.python:  # run_python is the host's own way in; an agent's Python is a command
                    result = await workspace.exec("python3 -", stdin=script, timeout_s=10)
                    if "REACHED" in result.stdout or result.timed_out:
                        reached[name] = result.stdout + result.stderr
        assert reached == {}

    attacked(probe)


@pytest.mark.parametrize("name", REACHES)
def test_the_probe_can_fail(world: World, name: str) -> None:
    reach = REACHES[name]
    if reach.root and os.geteuid() != 0:
        pytest.skip("only root gets there, unconfined")
    script = world.fill(reach.control or reach.script)
    command = [sys.executable, "-c", script] if reach.python else ["bash", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, check=False)
    assert "REACHED" in done.stdout, done.stderr
