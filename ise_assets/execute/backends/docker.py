"""Docker: for machines where an engine is what there is, and for other runtimes (gVisor, Kata) through it.

By the `docker` command and not the SDK: a container's stdin and stdout are then a child process's pipes, as they are with
bubblewrap, and contexts, remote engines and Podman's `docker` work as the user has set them up. What it costs is one client
process a workspace. agentd is sent through the pipe, so that the image carries programs only and is never of another version.

A container is created, started and removed by three commands of ours, and never by `--rm`: the engine's own removal would race
with it. One that a killed host process left carries that process's identity in a label, and `sweep` removes it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

from ise_assets.execute.models import WorkspaceDied
from ise_assets.execute.seccomp import docker_profile
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
from ise_assets.settings import load_settings

_LABEL = "ise.workspace"
_COMMAND_TIMEOUT_S = 120.0
_USER = 1000
# reads exactly agentd's source from stdin and becomes it; what follows there are frames
_BOOT = (
    "import os\ndata = b''\nwhile len(data) < {size}: data += os.read(0, {size} - len(data)) or os._exit(4)\n"
    "exec(compile(data, '/opt/agentd.py', 'exec'))"
)
# starting a container blocks for tenths of a second; not in the pool that everybody's short calls go through
_STARTERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="docker")


class DockerChannel(Channel):
    """A `docker start -ai` client and its container."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, container: str) -> None:
        super().__init__(process, limits)
        self.container = container

    def end(self) -> None:
        """Remove the container, then its client.

        Raises:
            WorkspaceDied: the engine would not remove it; `sweep` will, once this process has ended.
        """
        trouble = _remove(self.container)
        super().end()
        if trouble and (trouble := _remove(self.container)):  # the client may have been starting it just then
            raise WorkspaceDied(f"container {self.container} could not be removed: {trouble}")


class Docker(Backend):
    """Workspaces by a Docker engine.

    Args:
        image: made by docker/workspace.Dockerfile; ISE_DOCKER_IMAGE by default.
        runtime: the engine's name of it, empty for its default; ISE_DOCKER_RUNTIME by default.
    """

    name = "docker"

    def __init__(self, image: str | None = None, runtime: str | None = None) -> None:
        settings = load_settings()
        self.image = settings.docker_image if image is None else image
        self.runtime = settings.docker_runtime if runtime is None else runtime

    def probe(self) -> str | None:
        """Why no workspace can be started here, with the remedy; None when one just was (asked once a process)."""
        return _probe(self.image, self.runtime, os.environ.get("DOCKER_HOST", ""))

    async def open(self, limits: Limits) -> Channel:
        """A fresh container with agentd in it.

        Raises:
            WorkspaceDied: the engine did not start it; the message has its words.
        """
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(_STARTERS, self._start, limits)
        try:
            return await asyncio.shield(starting)
        except OSError as error:
            raise WorkspaceDied(f"docker could not be started: {error}") from error
        except asyncio.CancelledError:
            starting.add_done_callback(_discard)
            raise

    def sweep(self) -> None:
        """Remove the containers whose host process, on this machine, is dead."""
        wanted = ["ps", "-a", "--no-trunc", "--filter", f"label={_LABEL}={_machine()}"]
        found = _docker(*wanted, "--format", f'{{{{.ID}}}} {{{{.Label "{_LABEL}.owner"}}}}')
        for line in found.stdout.splitlines():
            container, _, owner = line.partition(" ")
            if not _lives(owner):
                _remove(container)

    def _start(self, limits: Limits) -> Channel:
        made = _docker("create", "-i", *arguments(limits, self.runtime), self.image, "-S", "-s", "-B", "-c", _boot())
        if made.returncode != 0:
            raise WorkspaceDied(f"docker could not make a container: {made.stderr.strip()[-600:]}")
        container = made.stdout.strip()
        try:
            process = subprocess.Popen(
                [_client(), "start", "-ai", container],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        except BaseException:
            _remove(container)
            raise
        channel = DockerChannel(process, limits, container)
        try:
            assert process.stdin is not None
            process.stdin.write(AGENTD.read_bytes())
            process.stdin.flush()
        except BrokenPipeError as error:
            words = channel.last_words()
            channel.end()
            raise WorkspaceDied(f"docker could not start a container: {words[-600:]}") from error
        return channel


def arguments(limits: Limits, runtime: str = "") -> list[str]:
    """What `docker create` is told besides image and command."""
    told = [
        *("--name", f"ise-{uuid.uuid4().hex[:16]}"),
        *("--label", f"{_LABEL}={_machine()}", "--label", f"{_LABEL}.owner={_own_identity()}"),
        *("--network", "none", "--hostname", "workspace", "--add-host", "workspace:127.0.0.1"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", f"seccomp={_profile()}"),
        *("--read-only", "--user", f"{_USER}:{_USER}", "--workdir", "/", "--ipc", "private", "--pull", "never"),
        # tmpfs counts as the container's memory: a full disk must not be an out of memory
        *("--memory", f"{limits.total_mib}m", "--memory-swap", f"{limits.total_mib}m"),
        *("--pids-limit", str(limits.rlimits["RLIMIT_NPROC"]), "--oom-score-adj", "0"),
        *("--log-driver", "none", "--no-healthcheck", "--entrypoint", "/usr/bin/python3"),
    ]
    if runtime:
        told += ["--runtime", runtime]
    sizes = dict.fromkeys(TMPFS, limits.disk_mib) | dict.fromkeys(SMALL_TMPFS, SMALL_TMPFS_MIB)
    for folder, mib in sizes.items():
        options = f"rw,exec,nosuid,nodev,size={mib}m,nr_inodes={limits.inodes},mode=0755,uid={_USER},gid={_USER}"
        told += ["--tmpfs", f"{folder}:{options}"]
    for name, value in limits.rlimits.items():
        if (option := _ULIMITS.get(name)) is not None:
            told += ["--ulimit", f"{option}={value}"]
    for name, text in agentd_settings(_inside(limits)).items():
        told += ["--env", f"{name}={text}"]
    return told


def _inside(limits: Limits) -> Limits:
    """Without the limit of processes, which the kernel counts per user: all containers have the same, and would starve each other.

    The container's own limit stands in for it.
    """
    return replace(limits, rlimits={name: n for name, n in limits.rlimits.items() if name != "RLIMIT_NPROC"})


# agentd sets all of them; these hold before it does. RLIMIT_AS does not belong here: the runtime's own start needs more
_ULIMITS = {
    "RLIMIT_CORE": "core",
    "RLIMIT_NOFILE": "nofile",
    "RLIMIT_FSIZE": "fsize",
    "RLIMIT_MEMLOCK": "memlock",
    "RLIMIT_MSGQUEUE": "msgqueue",
}


def _boot() -> str:
    return _BOOT.format(size=AGENTD.stat().st_size)


@cache
def _profile() -> str:
    """The seccomp profile's path, as the client reads it: a file in memory, so that none is left behind."""
    handle = os.memfd_create("seccomp")
    with os.fdopen(handle, "w", closefd=False) as file:
        json.dump(docker_profile(), file)
    return f"/proc/{os.getpid()}/fd/{handle}"


os.register_at_fork(after_in_child=_profile.cache_clear)


def _client() -> str:
    return shutil.which("docker") or "docker"


def _docker(*arguments: str, timeout_s: float = _COMMAND_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """One command of the client; one that takes too long has failed like any other."""
    command = [_client(), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"docker {arguments[0]} took longer than {timeout_s:g} s")


def _remove(container: str) -> str:
    """Kill and remove; returns what went wrong, empty when the container is gone."""
    done = _docker("rm", "-f", "-v", container)
    if done.returncode == 0 or "No such container" in done.stderr:
        return ""
    gone = _docker("container", "inspect", container)  # somebody else may be removing it
    return "" if gone.returncode != 0 and "No such container" in gone.stderr else done.stderr.strip()


def _discard(starting: asyncio.Future[Channel]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        _STARTERS.submit(starting.result().end)


@cache
def _machine() -> str:
    """This machine and process namespace: only there does a process number mean anything."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        machine = os.uname().nodename
    return f"{machine or 'none'}.{Path('/proc/self/ns/pid').stat().st_ino}"


def _own_identity() -> str:
    return f"{_boot_id()}:{os.getpid()}:{_start_time(os.getpid())}"


def _lives(owner: str) -> bool:
    """Whether the process of that identity still runs: its number alone may be another's by now."""
    boot, _, rest = owner.partition(":")
    pid, _, started = rest.partition(":")
    return boot == _boot_id() and pid.isdigit() and _start_time(int(pid)) == started


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_time(pid: int) -> str:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    fields = state.rpartition(b")")[2].split()
    return "" if fields[0] == b"Z" else fields[19].decode()


@cache
def _probe(image: str, runtime: str, host: str) -> str | None:
    if sys.platform != "linux":
        return f"the workspaces' host side needs Linux, this is {sys.platform}"
    if shutil.which("docker") is None:
        return "the program docker is missing. Install it: sudo apt-get install docker.io"
    asked = _docker("info", "--format", "{{json .}}", timeout_s=30)
    try:
        engine = json.loads(asked.stdout)
    except ValueError:
        engine = {}
    if asked.returncode != 0 or not engine.get("ServerVersion"):
        return _no_engine(asked.stderr.strip() or "; ".join(engine.get("ServerErrors") or []))
    if not any("seccomp" in option for option in engine.get("SecurityOptions") or []):
        return "the engine has no seccomp; workspaces need it. Use an engine and kernel built with it"
    if runtime and runtime not in (engine.get("Runtimes") or {}):
        known = ", ".join(sorted(engine.get("Runtimes") or {}))
        return (
            f"the engine has no runtime {runtime!r}, it has {known}. Mend ISE_DOCKER_RUNTIME, or add it to daemon.json"
        )
    if _docker("image", "inspect", image).returncode != 0:
        return f"the engine has no image {image!r}.\n{_BUILD}"
    return _try_out(image, runtime)


def _try_out(image: str, runtime: str) -> str | None:
    made = _docker("create", *arguments(Limits(), runtime), image, "-S", "-s", "-c", "import ctypes, json, tarfile")
    if made.returncode != 0:
        return f"the engine cannot make a container: {made.stderr.strip()[-300:]}"
    container = made.stdout.strip()
    try:
        ran = _docker("start", "-a", container)
    finally:
        _remove(container)
    if ran.returncode == 0:
        return None
    return f"a container of {image!r} does not run: {(ran.stderr or ran.stdout).strip()[-300:]}"


def _no_engine(words: str) -> str:
    if "permission denied" in words.lower():
        return (
            f"you may not speak to the Docker engine: {words[-300:]}\n"
            "Join its group and log in again: sudo usermod -aG docker $USER"
        )
    return (
        f"no Docker engine answers: {words[-300:]}\n"
        "Start it: sudo systemctl start docker (or say where one is: DOCKER_HOST)"
    )


_BUILD = """\
Build it: docker build -f docker/workspace.Dockerfile -t ise-workspace .
or, where no registry can be reached: sudo docker/build-workspace-image.sh"""

BACKEND = Docker
"""What `open_backend` makes."""
