"""Workspaces: one isolated machine per trajectory, behind one interface.

A backend supplies three things: `probe` (can it run here, and if not, how to mend that), `open` (a channel to an agentd in a fresh
sandbox) and `sweep` (take away what a killed host process left). Everything else is here and the same for all backends.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import select
import signal
import socket
import struct
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ise_assets.execute.models import BackendUnavailable, ExecResult, FileChange, Outcome, WorkspaceDied
from ise_assets.settings import BACKENDS, Settings

MAX_FRAME = 64 << 20
MAX_READ = 4 << 20
START_TIMEOUT_S = 30.0
_WATCH_EVERY_S = 0.2
_RELIEVED = 0.8
Answer = TypeVar("Answer")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# What runs here must not see the agent's modules: no user site, no current directory. `-I` would also drop PYTHONHASHSEED,
# and with it the order of sets in a seed script.
_FROM_STDIN = "import sys; sys.path[:] = [p for p in sys.path if p]; exec(compile(sys.stdin.read(), '<stdin>', 'exec'))"


class FileRefused(Exception):
    """A file or process operation that the workspace refuses: data for the model, with its outcome."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True)
class Limits:
    """What one workspace may use: memory of all its processes and size of each tmpfs (MiB), output kept per stream."""

    memory_mib: int = 1024
    disk_mib: int = 256
    output_chars: int = 8_000
    rlimits: dict[str, int] = field(
        default_factory=lambda: {
            "RLIMIT_CORE": 0,
            "RLIMIT_NOFILE": 1024,
            "RLIMIT_FSIZE": 256 << 20,
            "RLIMIT_NPROC": 256,
            "RLIMIT_AS": 1 << 30,
            "RLIMIT_MEMLOCK": 64 << 10,
            "RLIMIT_MSGQUEUE": 0,
        }
    )

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings ask for."""
        limits = cls(settings.workspace_memory_mib, settings.workspace_disk_mib, settings.tool_output_chars)
        return replace(limits, rlimits={**limits.rlimits, "RLIMIT_AS": settings.workspace_memory_mib << 20})


class Channel:
    """Frames to and from one agentd: a process whose stdin and stdout they travel on.

    What comes back is untrusted: its size is bounded and its shape checked. `lease` is held as long as the process lives.
    """

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, lease: socket.socket | None = None) -> None:
        self.process = process
        self.limits = limits
        self._lease = lease
        self._transports: list[asyncio.BaseTransport] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The two ends as asyncio streams."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 20)
        receiving, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), self.process.stdout)
        sending, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, self.process.stdin)
        self._transports = [receiving, sending]
        return reader, asyncio.StreamWriter(sending, protocol, reader, loop)

    def disconnect(self) -> None:
        """Close both ends."""
        for transport in self._transports:
            transport.close()

    def last_words(self) -> str:
        """What the sandbox said on stderr, once it is dead."""
        words = self.process.stderr.read(4000) if self.process.stderr and self.process.poll() is not None else b""
        return (words or b"").decode("utf-8", "replace").strip()

    def descendants(self) -> list[int]:
        """The host's numbers of all processes inside, agentd first."""
        return _tree(self.process.pid)[1:]

    def shed_memory(self) -> int:
        """Kill the largest processes of a workspace that is over its memory limit; returns how many.

        The launcher and agentd are spared, and so is what is small: the seed's services outlive a memory bomb.
        """
        pids = _tree(self.process.pid)
        if sum(_resident_mib(pid) for pid in pids) <= self.limits.memory_mib:
            return 0
        held = {pid: _own_mib(pid) for pid in pids}  # without pages of files, which many processes share
        used, killed = sum(held.values()), 0
        if used <= self.limits.memory_mib:
            return 0
        for pid in sorted(pids[2:], key=lambda pid: -held[pid]):
            if used <= self.limits.memory_mib * _RELIEVED:
                break
            killed += _kill_within(pid, self.process.pid)
            used -= held[pid]
        return killed

    def end(self) -> None:
        """Kill it; whatever was started inside is gone when this returns."""
        if self.process.poll() is None:
            # agentd is the init of its namespace: the launcher sees it end only when all other processes there have ended
            inside = self.descendants()
            if inside and _kill_within(inside[0], self.process.pid):
                _await_end(self.process.pid, 5.0)
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stderr, *(() if self._transports else (self.process.stdin, self.process.stdout))):
            if stream:
                stream.close()
        if self._lease:
            self._lease.close()


class _Frame(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Reply(_Frame):
    id: int
    result: dict[str, Any] | None = None
    refused: tuple[Outcome, str] | None = None


class _Done(_Frame):
    pass


class _Started(_Frame):
    process_id: str


class _Content(_Frame):
    data: str
    size: int


class _Edited(_Frame):
    line: int


class _State(_Frame):
    id: str
    running: bool
    exit_code: int | None
    command: str


class _Listed(_Frame):
    processes: list[_State]


class _Watched(_State):
    stdout: str
    stderr: str
    truncated: bool


class _Changed(_Frame):
    changes: list[tuple[str, Literal["added", "modified", "deleted"], int, Literal["file", "dir", "symlink", "other"]]]


_EXEC_RESULT = TypeAdapter(ExecResult)
_DONE, _STARTED, _CONTENT = TypeAdapter(_Done), TypeAdapter(_Started), TypeAdapter(_Content)
_EDITED, _LISTED, _WATCHED = TypeAdapter(_Edited), TypeAdapter(_Listed), TypeAdapter(_Watched)
_CHANGED = TypeAdapter(_Changed)


class Backend(ABC):
    """A way to isolate workspaces."""

    name: str

    @abstractmethod
    def probe(self) -> str | None:
        """None when workspaces can run here, else why not and what to do."""

    @abstractmethod
    async def open(self, limits: Limits) -> Channel:
        """A channel to agentd in a fresh sandbox."""

    @abstractmethod
    def sweep(self) -> None:
        """Take away what workspaces of dead host processes left behind."""


def open_backend(name: str = "auto") -> Backend:
    """The backend of that name; `auto` takes the first that runs. Never the bare host.

    Raises:
        ValueError: no such backend; the message lists the valid ones.
        BackendUnavailable: it cannot run here; the message says why and how to mend it.
    """
    from ise_assets.execute.backends.bubblewrap import Bubblewrap

    if name not in BACKENDS:
        raise ValueError(f"unknown workspace backend {name!r}; valid: {', '.join(BACKENDS)}")
    backend = Bubblewrap()
    if problem := backend.probe():
        raise BackendUnavailable(f"workspace backend {backend.name}: {problem}")
    return backend


class Workspace:
    """One isolated machine. Paths are absolute, inside it; results are typed; its death is `WorkspaceDied`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._limits = channel.limits
        self._waiting: dict[int, asyncio.Future[_Reply]] = {}
        self._number = 0
        self._dead: str | None = None
        self._sheddings = 0
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, backend: Backend, limits: Limits) -> Workspace:
        """A fresh workspace.

        Raises:
            WorkspaceDied: it did not come up.
        """
        workspace = cls(await backend.open(limits))
        try:
            await workspace._connect()
        except BaseException:
            await workspace.stop()
            raise
        return workspace

    async def __aenter__(self) -> Workspace:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()

    async def exec(
        self,
        command: str,
        *,
        timeout_s: float = 60.0,
        workdir: str | None = None,
        stdin: str | None = None,
        background: bool = False,
        hidden: bool = False,
        env: dict[str, str] | None = None,
    ) -> ExecResult:
        """Run a command with bash; in the background it gets an id (`p1`, ...) unless it is `hidden` (the seed's services).

        Raises:
            FileRefused: the working directory is not there.
            WorkspaceDied: the workspace is gone.
        """
        request = {"command": command, "workdir": workdir, "stdin": stdin, "env": env, "cap": self._limits.output_chars}
        if background:
            started = await self._ask(_STARTED, "start", 30.0, hidden=hidden, **request)
            return ExecResult(None, "", "", 0.0, process_id=started.process_id)
        before = self._sheddings
        result = await self._ask(_EXEC_RESULT, "run", timeout_s + 30, timeout=timeout_s, **request)
        if self._sheddings > before and result.exit_code != 0:
            note = f"[memory limit of {self._limits.memory_mib} MiB reached: the largest processes were killed]\n"
            return replace(result, stderr=result.stderr + note)
        return result

    async def run_python(
        self,
        source: str,
        *,
        env: dict[str, str] | None = None,
        workdir: str | None = None,
        timeout_s: float = 60.0,
        output_chars: int = 4_000_000,
    ) -> ExecResult:
        """Run Python source that comes through stdin: it leaves no file, and sees none of the agent's modules."""
        return await self._ask(
            _EXEC_RESULT,
            "run",
            timeout_s + 30,
            command="python3 -",
            argv=["/usr/bin/python3", "-s", "-c", _FROM_STDIN],
            stdin=source,
            env=env,
            workdir=workdir,
            timeout=timeout_s,
            cap=output_chars,
        )

    async def process(self, action: str, process_id: str | None = None, data: str | None = None) -> dict[str, Any]:
        """`list`, `poll`, `log`, `write` to or `kill` background processes."""
        if action == "list":
            return (await self._ask(_LISTED, "process", 60.0, action=action)).model_dump()
        request = {"action": action, "process_id": process_id, "data": data}
        return (await self._ask(_WATCHED, "process", 60.0, **request)).model_dump()

    async def read_bytes(self, path: str, limit: int = MAX_READ) -> bytes:
        """The first `limit` bytes of a regular file, at most 4 MiB."""
        answer = await self._ask(_CONTENT, "read", 60.0, path=path, limit=limit)
        try:
            return base64.b64decode(answer.data, validate=True)
        except ValueError as error:
            raise self._nonsense(error) from error

    async def write(self, path: str, data: bytes) -> None:
        """Write a file; its parents are made."""
        await self._ask(_DONE, "write", 60.0, path=path, data=base64.b64encode(data).decode())

    async def edit(self, path: str, old: str, new: str) -> int:
        """Replace the one occurrence of `old`; returns its line. None or several are refused."""
        return (await self._ask(_EDITED, "edit", 60.0, path=path, old=old, new=new)).line

    async def put_files(self, files: Sequence[tuple[str, bytes, int]]) -> None:
        """Write (path, content, mode) at once."""
        body = [[path, base64.b64encode(data).decode(), mode] for path, data, mode in files]
        await self._ask(_DONE, "put", 60.0, files=body)

    async def mark_baseline(self) -> None:
        """What is there now is what `changes` compares with."""
        await self._ask(_DONE, "mark", 60.0)

    async def changes(self) -> list[FileChange]:
        """What differs from the baseline under /home and /workspace, sorted by path; .git and caches left out."""
        found = await self._ask(_CHANGED, "changes", 60.0)
        return [FileChange(path, change, size, kind) for path, change, size, kind in found.changes]

    async def stop(self) -> None:
        """End the workspace and everything in it; safe to call twice."""
        self._die("stopped")
        for task in self._tasks:
            task.cancel()
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._channel.end))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._channel.disconnect()

    async def _connect(self) -> None:
        self._reader, self._writer = await self._channel.connect()
        ready: asyncio.Future[_Reply] = asyncio.get_running_loop().create_future()
        self._waiting[0] = ready
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch_memory())]
        try:
            await asyncio.wait_for(ready, START_TIMEOUT_S)
        except TimeoutError as error:
            raise WorkspaceDied("the workspace did not come up in time") from error

    async def _ask(self, shape: TypeAdapter[Answer], operation: str, timeout_s: float, **request: Any) -> Answer:
        if self._dead:
            raise WorkspaceDied(self._dead)
        self._number += 1
        number = self._number
        future: asyncio.Future[_Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(timeout_s):
                self._send({"id": number, "op": operation, **request})
                await self._writer.drain()
                answer = await future
        except TimeoutError as error:
            self._die(f"agentd did not answer {operation} within {timeout_s:.0f} s")
            raise WorkspaceDied(self._dead or "") from error
        except ConnectionError as error:
            raise WorkspaceDied(self._dead or f"the workspace closed its pipe: {error}") from error
        except asyncio.CancelledError:
            if operation == "run" and not self._dead:
                self._send({"id": -number, "op": "cancel", "target": number})
            raise
        finally:
            self._waiting.pop(number, None)
        if answer.refused is not None:
            raise FileRefused(*answer.refused)
        try:
            return shape.validate_python(answer.result)
        except ValidationError as error:
            raise self._nonsense(error) from error

    def _send(self, request: dict[str, Any]) -> None:
        body = json.dumps(request).encode()
        self._writer.write(struct.pack(">I", len(body)) + body)

    def _nonsense(self, error: Exception) -> WorkspaceDied:
        self._die(f"agentd spoke nonsense: {error}")
        return WorkspaceDied(self._dead or "")

    async def _listen(self) -> None:
        try:
            while True:
                (length,) = struct.unpack(">I", await self._reader.readexactly(4))
                if length > MAX_FRAME:
                    raise ValueError(f"a frame of {length} bytes")
                answer = _Reply.model_validate_json(await self._reader.readexactly(length))
                future = self._waiting.get(answer.id)
                if future is not None and not future.done():
                    future.set_result(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            words = await asyncio.get_running_loop().run_in_executor(None, self._last_words)
            self._die(f"the workspace ended: {words or 'its pipe is closed'}")
        except ValueError as error:
            self._die(f"agentd spoke nonsense: {error}")

    def _last_words(self) -> str:
        try:
            self._channel.process.wait(5)
        except subprocess.TimeoutExpired:
            return "agentd closed its pipe but lives"
        return self._channel.last_words()

    async def _watch_memory(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            if await loop.run_in_executor(None, self._channel.shed_memory):
                self._sheddings += 1

    def _die(self, reason: str) -> None:
        self._dead = self._dead or reason
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WorkspaceDied(reason))
                future.exception()  # seen: whoever waits is told, and nobody is warned when nobody does


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


def _resident_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / (1 << 20)
    except (OSError, IndexError):
        return 0.0


def _own_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:"))) / 1024


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
