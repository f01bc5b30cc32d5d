"""Control groups: a ceiling by the kernel over everything a workspace holds, where this process may make groups.

Rlimits count per process and agentd's watchdog counts the memory of processes; what the kernel holds for them (socket buffers,
pipes, directory entries) is counted only here. Version 2 where the groups are delegated; version 1 where this is root, for memory
alone: as root every workspace has a uid of its own, whose processes an rlimit counts.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_LIMIT_FILES = {2: {"memory": "memory.max", "pids": "pids.max"}, 1: {"memory": "memory.limit_in_bytes"}}
_TRIAL = {"memory": 1 << 30, "pids": 100}
_PREFIX = "ise-workspace-"
_REMOVE_WITHIN_S = 1.0
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Parents:
    """Folders below which groups can be made, by controller."""

    version: int
    folders: Mapping[str, Path]


@dataclass(frozen=True)
class Cgroup:
    """One workspace's group."""

    folders: tuple[Path, ...]

    def admit(self, pid: int) -> None:
        """Put a process into the group, before it has made others: they are born into it."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        """Take the group away when its last process has ended; one that does not end in a second is left to `sweep`."""
        until = time.monotonic() + _REMOVE_WITHIN_S
        for folder in self.folders:
            while not _removed(folder) and time.monotonic() < until:
                time.sleep(0.002)


def make_cgroup(memory_mib: int, processes: int) -> Cgroup | None:
    """A group that holds at most so much memory (tmpfs and the kernel's own included) and so many processes.

    None where this process may not make groups, or nobody has delegated a controller to it.
    """
    parents = find_parents()
    if not parents.folders:
        return None
    limits = {"memory": memory_mib << 20, "pids": processes}
    name = f"{_PREFIX}{os.getpid()}-{next(_NUMBERS)}"
    made: dict[Path, None] = {}
    for controller, parent in parents.folders.items():
        folder = parent / name
        folder.mkdir(exist_ok=folder in made)
        made[folder] = None
        (folder / _LIMIT_FILES[parents.version][controller]).write_text(str(limits[controller]))
    return Cgroup(tuple(made))


def sweep() -> None:
    """Remove the groups of processes that are no more; one that still holds a process stays."""
    for parent in set(find_parents().folders.values()):
        for folder in parent.glob(f"{_PREFIX}*"):
            owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if not Path(f"/proc/{owner}").exists():
                _removed(folder)


def find_parents() -> Parents:
    """Where groups can be made, found out by making one, putting a process in and removing both."""
    return _find_parents(os.geteuid())


@cache
def _find_parents(_: int) -> Parents:
    for version, folders in _candidates():
        if folders and _usable(version, folders):
            return Parents(version, folders)
    return Parents(2, {})


def _candidates() -> list[tuple[int, dict[str, Path]]]:
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own[controllers] = path
    mounts: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        for controllers, path in own.items():
            named = kind == "cgroup" and set(controllers.split(",")) <= set(options.split()[-1].split(","))
            if named or (kind == "cgroup2" and controllers == ""):
                inside = os.path.relpath(path, root)
                mounts[controllers] = Path(point) if inside.startswith("..") else Path(point, inside)
    unified = mounts.pop("", None)
    found: list[tuple[int, dict[str, Path]]] = []
    if unified is not None:
        # a group with processes of its own delegates no controller, so ours stand beside this process's
        for parent in (unified.parent, unified):
            delegated = parent / "cgroup.subtree_control"
            given = delegated.read_text().split() if delegated.is_file() else []
            found.append((2, {name: parent for name in _LIMIT_FILES[2] if name in given}))
    separate = {
        name: folder for names, folder in mounts.items() for name in names.split(",") if name in _LIMIT_FILES[1]
    }
    return [*found, (1, separate)]


def _usable(version: int, folders: Mapping[str, Path]) -> bool:
    """Whether a group can be made, limited and entered: a process of ours tries it."""
    if "memory" not in folders:
        return False
    name = f"{_PREFIX}{os.getpid()}-trial"
    made = {controller: parent / name for controller, parent in folders.items()}
    child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        for controller, folder in made.items():
            folder.mkdir(exist_ok=True)
            (folder / _LIMIT_FILES[version][controller]).write_text(str(_TRIAL[controller]))
            (folder / "cgroup.procs").write_text(str(child.pid))
    except OSError:  # not ours to make, or not delegated: then there is no ceiling, and `ise doctor` says so
        return False
    finally:
        child.kill()
        child.wait()
        for folder in made.values():
            _removed(folder)
    return True


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # processes in it have not been reaped yet
        return False
    return True
