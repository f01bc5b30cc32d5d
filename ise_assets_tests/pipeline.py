"""The whole run in processes of its own, for the tests that start, watch, interrupt and kill it.

A cold start costs seconds of imports, so a `Warm` process has done the imports, and forks a run whenever it is asked to:
what is killed is a process of its own all the same.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ise_assets.settings import PROJECT

_SERVER = """
import json, os, signal, sys, traceback
import torch, sentence_transformers
from ise_assets import cli
from ise_assets.definitions import defs
from ise_assets.simulate.scripted.provider import register
defs()
register()

def run(order):
    os.setsid()
    os.environ.clear()
    os.environ.update(order["environment"])
    out = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["ise", *order["arguments"]]
    code = 0
    try:
        cli.app()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # libraries of the parent would look for threads that no fork has

def tell(path, number):
    with open(path + ".new", "w") as file:
        file.write(str(number))
    os.rename(path + ".new", path)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    order = json.loads(line)
    if os.fork():
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        run(order)
    tell(order["output"] + ".pid", child)
    tell(order["output"] + ".exit", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(0)
"""


@dataclass
class Home:
    """A data folder and a Dagster instance of a test's own."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    shipped_as_ever: bool = False
    """Whether nothing is said of the shipped persona lists; else they are left out."""

    @property
    def data(self) -> Path:
        """ISE_HOME."""
        return self.folder / "data"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.data / "ise.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """Of a run: nothing of the caller's own settings gets in."""
        foreign = re.compile(r"ISE_|DAGSTER_|OPENAI_|.*_API_(KEY|BASE)$")
        own = {name: value for name, value in os.environ.items() if not foreign.match(name)}
        kept = {name: os.environ[name] for name in ("ISE_CACHE",) if name in os.environ}
        shipped = {} if self.shipped_as_ever else {"ISE_SHIPPED_PERSONAS": "false"}
        return {
            **own,
            **kept,
            **shipped,
            "ISE_HOME": str(self.data),
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "ISE_MAX_CONCURRENT_SESSIONS": "2",
            "COLUMNS": "80",
            **self.settings,
        }

    def write_personas(self, count: int, name: str = "list.jsonl") -> None:
        """A list of invented people in the watched folder."""
        folder = self.data / "personas"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("".join(json.dumps(person(number)) + "\n" for number in range(count)))

    def steps_begun(self, known: Sequence[Path] = ()) -> list[str]:
        """Names of the steps begun so far, by Dagster's own records, leaving out the runs in the files `known`."""
        begun = []
        for path in self.run_records():
            if path not in known:
                query = "SELECT id, step_key FROM event_logs WHERE dagster_event_type = 'STEP_START' ORDER BY id"
                begun += [row[1] for row in _rows(path, query)]
        return begun

    def runs(self, status: str) -> int:
        """How many Dagster runs have that status."""
        rows = _rows(self.folder / "dagster" / "history" / "runs.db", "SELECT status FROM runs")
        return [row[0] for row in rows].count(status)

    def run_records(self) -> list[Path]:
        """One file a Dagster run."""
        folder = self.folder / "dagster" / "history" / "runs"
        return sorted((p for p in folder.glob("*.db") if p.stem != "index"), key=lambda path: path.stat().st_ctime)

    def journaled(self, asset: str, domain: str) -> dict[str, dict[str, Any]]:
        """Finished items that wait in a journal, by id."""
        rows = _rows(self.data / "journals" / asset / f"{domain}.sqlite", "SELECT id, body FROM items")
        return {identity: json.loads(body) for identity, body in rows}


def person(number: int) -> dict[str, Any]:
    """A row of a persona list."""
    return {
        "name": f"Person {number}",
        "role": f"planner of line {number}",
        "industry": "transport",
        "expertise": ["timetables", f"depot {number}"],
        "experience_level": "senior",
        "communication_style": ["terse", "plain", "warm and chatty", "formal, full sentences"][number % 4],
        "work_context": f"Plans the night buses of district {number} and inherited a shared drive nobody has tidied.",
    }


Start = Callable[["Home", Sequence[str]], "Run"]


@dataclass
class Run:
    """An `ise` command that is running."""

    pid: int
    output_file: Path
    _wait: Callable[[float], int]

    def wait(self, timeout_s: float = 300.0) -> int:
        """The exit code, negative for a signal.

        Raises:
            TimeoutError: it is still running.
        """
        return self._wait(timeout_s)

    @property
    def output(self) -> str:
        """What it has printed."""
        return self.output_file.read_text(errors="replace")

    def alive(self) -> bool:
        """Whether it still runs."""
        state = process_state(self.pid)
        return state is not None and state != "Z"

    def kill(self) -> Family:
        """SIGKILL, in the middle of whatever it does; returns the processes that it had started."""
        os.kill(self.pid, signal.SIGSTOP)  # nobody is born while we count
        family = Family.of(self.pid)
        os.kill(self.pid, signal.SIGKILL)
        return family


@contextmanager
def warm() -> Iterator[Start]:
    """Yields what starts `ise` with arguments, out of a process that has done the imports."""
    server = subprocess.Popen([sys.executable, "-c", _SERVER], cwd=PROJECT, stdin=subprocess.PIPE, text=True)

    def start(home: Home, arguments: Sequence[str]) -> Run:
        assert server.stdin
        output = _output_file(home)
        told, ended = Path(f"{output}.pid"), Path(f"{output}.exit")
        order = {"environment": home.environment, "output": str(output), "arguments": list(arguments)}
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        until(told.exists, 120)

        def wait(timeout_s: float) -> int:
            until(ended.exists, timeout_s)
            return int(ended.read_text())

        return Run(int(told.read_text()), output, wait)

    try:
        yield start
    finally:
        server.kill()
        server.wait()


def cold(home: Home, arguments: Sequence[str]) -> Run:
    """Starts `ise` as a person does."""
    output = _output_file(home)
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "ise_assets.cli", *arguments],
            cwd=PROJECT,
            env=home.environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(timeout_s: float) -> int:
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"still running after {timeout_s} s") from error

    return Run(process.pid, output, wait)


def _output_file(home: Home) -> Path:
    home.folder.mkdir(parents=True, exist_ok=True)
    return home.folder / f"output-{time.monotonic_ns()}.txt"


@dataclass(frozen=True)
class Family:
    """Descendants of a process, and the pid namespaces (workspaces) among them that are not the test's own."""

    members: frozenset[tuple[int, str]]
    namespaces: frozenset[str]

    @staticmethod
    def of(pid: int) -> Family:
        """Everybody under `pid`."""
        children: dict[int, list[int]] = {}
        for other in _pids():
            if (stat := _stat(other)) is not None:
                children.setdefault(int(stat[1]), []).append(other)
        found, todo = [], [pid]
        while todo:
            found.append(todo.pop())
            todo += children.get(found[-1], [])
        spaces = frozenset(filter(None, map(_namespace, found))) - {_namespace(os.getpid())}
        return Family(frozenset((p, _born(p)) for p in found if p != pid), spaces)

    def left(self) -> list[str]:
        """Who of them, or of what runs in their workspaces, is still there."""
        members = [p for p, born in self.members if _born(p) == born and process_state(p) not in (None, "Z")]
        inside = [p for p in _pids() if _namespace(p) in self.namespaces and process_state(p) not in (None, "Z")]
        return [f"{p} {_command(p)}" for p in sorted({*members, *inside})]


def until(true: Callable[[], bool], timeout_s: float, every_s: float = 0.01) -> None:
    """Looks again and again until it is true.

    Raises:
        TimeoutError: it did not become true.
    """
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not after {timeout_s} s")
        time.sleep(every_s)


def process_state(pid: int) -> str | None:
    """The letter that ps shows, None where there is no such process."""
    stat = _stat(pid)
    return stat[0] if stat else None


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _born(pid: int) -> str:
    stat = _stat(pid)
    return stat[19] if stat else ""


def _namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:120]
    except OSError:
        return ""


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a SQLite file that another process may be making this very moment."""
    if not path.is_file():
        return []
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    except sqlite3.OperationalError:
        return []
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError:  # no table yet
        return []
    finally:
        connection.close()
