"""Workspaces: one isolated machine per trajectory, behind one interface.

A backend supplies three things: `probe` (can it run here, and if not, how to mend that), `open` (a channel to an agentd in a fresh
sandbox) and `sweep` (take away what a killed host process left). Everything else is here and the same for all backends; a new one
is one new file in backends/ and its name in `BACKENDS` of the settings (docs/backends.md).
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ise_assets.execute.models import BackendUnavailable, ExecResult, FileChange, Outcome, WorkspaceDied
from ise_assets.settings import BACKENDS, Settings

MAX_FRAME = 64 << 20
MAX_READ = 4 << 20
START_TIMEOUT_S = 30.0
AGENTD = Path(__file__).with_name("agentd.py")
"""The tool server's source; a backend runs it as PID 1 by `python3 -S -s -B`, with `agentd_settings` in its environment.

Not by `-I`: that would also drop PYTHONHASHSEED, and with it the order of sets in a seed script.
"""
ENVIRONMENT = {
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
"""All that a command finds in its environment, whatever the backend."""
TMPFS = ("/home", "/workspace", "/tmp")
"""Where a workspace can be written to, each `Limits.disk_mib` large; `SMALL_TMPFS` is too, for what programs expect there."""
SMALL_TMPFS = ("/var/tmp", "/run", "/dev/shm")
SMALL_TMPFS_MIB = 64
_OWN = ("bubblewrap", "docker")
"""The backends that `auto` tries: those of this machine."""
Answer = TypeVar("Answer")


class FileRefused(Exception):
    """A file or process operation that the workspace refuses: data for the model, with its outcome."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True)
class Limits:
    """What one workspace may use: memory of all its processes and size of each tmpfs (MiB), files in each, output per stream."""

    memory_mib: int = 1024
    disk_mib: int = 256
    inodes: int = 65_536
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
        return cls.sized(settings.workspace_memory_mib, settings.workspace_disk_mib, settings.tool_output_chars)

    @classmethod
    def sized(cls, memory_mib: int, disk_mib: int, output_chars: int) -> Limits:
        """Limits of that size; no process may map more than all of them may use, or a GiB, which says nothing of what it uses."""
        limits = cls(memory_mib, disk_mib, output_chars=output_chars)
        return replace(limits, rlimits={**limits.rlimits, "RLIMIT_AS": max(memory_mib, 1024) << 20})

    @property
    def total_mib(self) -> int:
        """MiB that a full workspace holds: the memory of its processes and all its tmpfs, which is memory too."""
        return self.memory_mib + len(TMPFS) * self.disk_mib + len(SMALL_TMPFS) * SMALL_TMPFS_MIB


def agentd_settings(limits: Limits) -> dict[str, str]:
    """The environment that a backend starts agentd with."""
    settings = {"environment": ENVIRONMENT, "rlimits": limits.rlimits, "memory_mib": limits.memory_mib}
    return {**ENVIRONMENT, "AGENTD_SETTINGS": json.dumps(settings)}


class Channel:
    """Frames to and from one agentd: a host process whose stdin and stdout they travel on, and the end of it all.

    What comes back is untrusted: its size is bounded and its shape checked. A backend overrides `end` where more than the
    process must go.
    """

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        self.process = process
        self.limits = limits
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
        """What the sandbox said on stderr, once it is dead; waits some seconds for that."""
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            return "agentd closed its pipe but lives"
        words = self.process.stderr.read(4000) if self.process.stderr else b""
        return (words or b"").decode("utf-8", "replace").strip()

    def end(self) -> None:
        """Kill it; whatever was started inside is gone when this returns. Blocks; safe to call twice."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stderr, *(() if self._transports else (self.process.stdin, self.process.stdout))):
            if stream:
                stream.close()


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

    What workspaces of killed host processes left behind is taken away.

    Raises:
        ValueError: no such backend; the message lists the valid ones.
        BackendUnavailable: it cannot run here, with `auto` none can; the message says why and how to mend it.
    """
    if name not in BACKENDS:
        raise ValueError(f"unknown workspace backend {name!r}; valid: {', '.join(BACKENDS)}")
    problems = []
    for candidate in _OWN if name == "auto" else (name,):
        backend: Backend = import_module(f"ise_assets.execute.backends.{candidate}").BACKEND()
        problem = backend.probe()
        if problem is None:
            backend.sweep()
            return backend
        problems.append(f"workspace backend {candidate}: {problem}")
    raise BackendUnavailable("\n".join(problems))


class Workspace:
    """One isolated machine. Paths are absolute, inside it; results are typed; its death is `WorkspaceDied`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._limits = channel.limits
        self._waiting: dict[int, asyncio.Future[_Reply]] = {}
        self._number = 0
        self._dead: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, backend: Backend, limits: Limits, snapshot: bytes | None = None) -> Workspace:
        """A fresh workspace, with the files of a snapshot in it if one is given.

        Raises:
            WorkspaceDied: it did not come up.
            FileRefused: the snapshot is no tar, leads outside or does not fit.
        """
        workspace = cls(await backend.open(limits))
        try:
            await workspace._connect()
            if snapshot is not None:
                await workspace.restore(snapshot)
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
        result = await self._ask(_EXEC_RESULT, "run", timeout_s + 30, timeout=timeout_s, **request)
        if result.memory_kills and result.exit_code != 0:
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
        """Run Python source of the host's: it leaves no file, sees none of the agent's modules, and no process of the agent's
        can look into it or write to its memory."""
        return await self._ask(
            _EXEC_RESULT,
            "run",
            timeout_s + 30,
            source=source,
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
        return self._decoded(await self._ask(_CONTENT, "read", 60.0, path=path, limit=limit))

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

    async def snapshot(self) -> bytes:
        """A tar of the files below /home and /workspace, links and modes and times included, at most 40 MiB.

        Processes are not in it, nor FIFOs and sockets. It comes from inside and is untrusted: `restore` is what unpacks it.

        Raises:
            FileRefused: there is more.
        """
        return self._decoded(await self._ask(_CONTENT, "snapshot", 120.0))

    async def restore(self, snapshot: bytes) -> None:
        """Unpack a snapshot over what is there.

        Raises:
            FileRefused: it is no tar, a member leads outside of /home and /workspace or is a device, or the disk is full;
                what was unpacked by then stays.
        """
        await self._ask(_DONE, "untar", 120.0, data=base64.b64encode(snapshot).decode())

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
        self._tasks = [asyncio.create_task(self._listen())]
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

    def _decoded(self, content: _Content) -> bytes:
        try:
            return base64.b64decode(content.data, validate=True)
        except ValueError as error:
            raise self._nonsense(error) from error

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
            words = await asyncio.get_running_loop().run_in_executor(None, self._channel.last_words)
            self._die(f"the workspace ended: {words or 'its pipe is closed'}")
        except ValueError as error:
            self._die(f"agentd spoke nonsense: {error}")

    def _die(self, reason: str) -> None:
        self._dead = self._dead or reason
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WorkspaceDied(reason))
                future.exception()  # seen: whoever waits is told, and nobody is warned when nobody does
