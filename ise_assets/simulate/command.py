"""An agent runtime of others: any program that speaks OpenAI chat and works in a shell, as the agent of a session.

The program runs once per turn of the user, in a sandbox without network, files or keys of the host. Two things lead out of it, both
over a socket of this session alone: `/v1/chat/completions`, answered by the session's model, and its shells, whose command lines
are run in the session's workspace and nowhere else (`command_inside`). So the conversation and the calls are ours, as with our own
agent: every limit, the ledger, resumption and replay work alike.

What is passed on: the program's system prompt and tools, its model's messages, and what it tells of its tool calls. Its model is
sent the whole session, each turn of the user in the user's own words, whatever the program wraps around them or leaves out.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from ise_assets.execute.backends.bubblewrap import KERNEL_MIB, WAITING, find_binary
from ise_assets.execute.cgroup import make_cgroup
from ise_assets.execute.models import WorkspaceDied
from ise_assets.execute.tools import SHELL
from ise_assets.execute.workspace import Limits
from ise_assets.intent.template import HOME
from ise_assets.llm import ModelFailure
from ise_assets.settings import Settings, SettingsError
from ise_assets.simulate import command_inside
from ise_assets.simulate.agent import Agent, EmptyAnswer, Stop

_ROOM = "/run/ise"
_NOT_RUN = "Error: not run"
_REFUSED = "not run: the model has asked for no such command\n"
_MOST_BYTES = 64 << 20
_TMPFS_BYTES = str(256 << 20)
_MOST_WORDS = 100_000
"""Characters of a program's last words that are kept: its answer, or what went wrong."""


class CommandFailed(RuntimeError):
    """The agent's program ended without an answer."""


def check_command(settings: Settings) -> None:
    """Refuse, before any work, a command that cannot be the agent.

    Raises:
        SettingsError: it has no model, it cannot be read, or no sandbox can be made for it.
    """
    if not settings.agent_command:
        return
    if settings.plays_scripts:
        raise SettingsError(
            "ISE_AGENT_COMMAND needs models for the user and the agent (ISE_USER_MODEL, ISE_AGENT_MODEL): the scripted "
            "teacher knows our own tools only"
        )
    if find_binary() is None:
        raise SettingsError("ISE_AGENT_COMMAND: bwrap is missing, which the command runs in; see `ise doctor`")
    try:
        words = shlex.split(settings.agent_command)
    except ValueError as error:
        raise SettingsError(f"ISE_AGENT_COMMAND={settings.agent_command!r}: {error}") from error
    if not words:
        raise SettingsError("ISE_AGENT_COMMAND holds no program")
    for folder in settings.agent_command_folders:
        if not Path(folder).is_dir():
            raise SettingsError(f"ISE_AGENT_COMMAND_FOLDERS: there is no folder {folder}")


def name_of(settings: Settings) -> str | None:
    """The command as it is recorded: without the folders of this machine; None for our own agent."""
    if not settings.agent_command:
        return None
    return " ".join(word.rsplit("/", 1)[-1] for word in shlex.split(settings.agent_command))


@dataclass
class CommandAgent(Agent):
    """The agent that `ISE_AGENT_COMMAND` names; its `tools` are those its program offers to the model."""

    _user_turn: int = 0
    _pending: list[dict[str, Any]] = field(default_factory=list)
    """Calls of the model's last message that have not been run."""
    _ending: asyncio.Future[Stop] | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _running: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One call at a time, as they will be replayed, also where the program starts several at once."""

    async def answer_user(self, user_turn: int, message: str) -> Stop:
        """Run the program for one message of the user, until its model has an answer or a limit ends the session.

        Raises:
            CommandFailed: the program ended without an answer.
            EmptyAnswer, ModelError, ModelUnavailable, WorkspaceDied: as our own agent.
        """
        self.messages.append({"role": "user", "content": message})
        self._user_turn, self._pending = user_turn, []
        self._ending = asyncio.get_running_loop().create_future()
        with tempfile.TemporaryDirectory(prefix="ise-agent-") as folder:
            async with self._served(Path(folder)), _started(self.settings, Path(folder), message) as program:
                talking: asyncio.Future[tuple[str, str]] = asyncio.ensure_future(_last_words(program))
                left = max(0.0, self.deadline - time.monotonic())
                either: list[asyncio.Future[Any]] = [talking, self._ending]
                await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                # what is under way comes to its end: it is paid for, or has changed something
                async with self._asking, self._running:
                    self._answer_calls(())
                if self._ending.done():
                    talking.cancel()
                    return self._ending.result()
                if not talking.done():
                    talking.cancel()
                    return "max_session_minutes"
                return self._ended(program.returncode, *talking.result())

    def _ended(self, code: int | None, output: str, complaints: str) -> Stop:
        """The program is done and its model's last message was a call: what it printed is its answer."""
        if code != 0 or not output.strip():
            told = (complaints or output).strip()[-500:]
            raise CommandFailed(f"the agent's command ended with {code} and no answer: {told or 'it said nothing'}")
        self.messages.append({"role": "assistant", "content": output.strip()})
        self.told("agent_text", {"text": output.strip()})
        return "answered"

    @asynccontextmanager
    async def _served(self, folder: Path) -> AsyncIterator[None]:
        app = web.Application(client_max_size=_MOST_BYTES)
        app.add_routes([web.post("/v1/chat/completions", self._chat), web.post("/shell", self._shell)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await runner.setup()
        try:
            await web.UnixSite(runner, str(folder / "agent.sock")).start()
            yield
        finally:
            await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        async with self._asking:
            if self._over():
                return _refusal("the session is over")
            self._take_over(body)
            if (spent := self._spent()) is not None:
                return self._end(spent)
            try:
                completion = await self._next_message()
            except (ModelFailure, EmptyAnswer) as error:
                return self._end(error)
            if completion is None:
                return self._end("context_full")
            self.messages.append(completion.message)
            if completion.text:
                self.told("agent_text", {"text": completion.text})
            self._pending = list(completion.message.get("tool_calls") or ())
            if not self._pending:
                self._end("answered")
        return await _answer(request, body, completion.message, self.settings.agent_model)

    def _take_over(self, body: Mapping[str, Any]) -> None:
        """From the program's request: its system prompt (the first counts), its tools, and what came of the last calls."""
        messages = body["messages"]
        if all(message["role"] != "assistant" for message in self.messages):
            own = [_text(message) for message in messages if message["role"] in ("system", "developer")]
            self.messages[0] = {"role": "system", "content": "\n\n".join(own)} if own else self.messages[0]
        self.tools = list(body.get("tools") or self.tools)
        last = max((n for n, message in enumerate(messages) if message["role"] == "assistant"), default=len(messages))
        self._answer_calls(messages[last + 1 :])

    def _answer_calls(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Every call of the last message gets its result as the program tells it; where it complains instead, the complaint."""
        last = self.messages[-1]
        results = {message.get("tool_call_id"): _text(message) for message in told if message["role"] == "tool"}
        complaint = "\n".join(_text(message) for message in told if message["role"] == "user")
        ran = {call.tool_call_id: call.content for call in self.calls}
        for call in last.get("tool_calls") or ():
            identity = call["id"]
            content = results.get(identity) or complaint or ran.get(identity) or _NOT_RUN
            self._append_result(identity, str(call["function"]["name"]), content)
        self._pending = []

    async def _shell(self, request: web.Request) -> web.Response:
        command = str((await request.json())["command"])
        call = next((call for call in self._pending if _asks_for(call, command)), None)
        if call is None or self._over():
            return web.json_response({"stdout": "", "stderr": _REFUSED, "exit_code": 126})
        self._pending.remove(call)
        async with self._running:
            if (stop := self._no_more_calls()) is not None:
                return self._end(stop)
            try:
                result = await self._run_call(self._user_turn, call["id"], SHELL[0], json.dumps({"command": command}))
            except WorkspaceDied as error:
                return self._end(error)
        return web.json_response(
            {
                "stdout": result.stdout,
                "stderr": result.stderr if result.exit_code is not None or result.stdout else result.content,
                "exit_code": result.exit_code if result.exit_code is not None else 124,
            }
        )

    def _over(self) -> bool:
        return self._ending is None or self._ending.done()

    def _end(self, how: Stop | Exception) -> web.Response:
        """The turn is over; the program is told so, and ended."""
        if self._ending is not None and not self._ending.done():
            if isinstance(how, Exception):
                self._ending.set_exception(how)
            else:
                self._ending.set_result(how)
        return _refusal(str(how))


def _asks_for(call: Mapping[str, Any], command: str) -> bool:
    """Whether a call's arguments hold this very command line, as text or as the words of one."""
    try:
        arguments = json.loads(call["function"]["arguments"])
    except (ValueError, RecursionError):
        return False
    values = arguments.values() if isinstance(arguments, dict) else ()
    return any(
        command in (value, value[-1:] and value[-1]) if isinstance(value, list) else value == command
        for value in values
    )


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _refusal(why: str) -> web.Response:
    return web.json_response({"error": {"message": why, "type": "invalid_request_error"}}, status=400)


async def _answer(
    request: web.Request, body: Mapping[str, Any], message: Mapping[str, Any], model: str
) -> web.StreamResponse:
    """A chat completion, whole or, where the program wants a stream, as a stream of one piece."""
    shown = {"id": "chatcmpl-ise", "created": int(time.time()), "model": model}
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    if not body.get("stream"):
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return web.json_response({**shown, "object": "chat.completion", "choices": [choice], "usage": usage})
    calls = [{"index": n, **call} for n, call in enumerate(message.get("tool_calls") or ())]
    delta = {**message, "tool_calls": calls} if calls else dict(message)
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for piece, end in ((delta, None), ({}, reason)):
        chunk = {
            **shown,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": piece, "finish_reason": end}],
        }
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    return response


@asynccontextmanager
async def _started(settings: Settings, folder: Path, message: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program in its sandbox; it ends with the block, and so does all it started."""
    words = shlex.split(settings.agent_command)
    limits = Limits.of(settings)
    said = message.replace("\0", " ").encode("utf-8", "replace").decode()  # what an argument may hold
    asked = [word.replace("{message}", said) for word in words]
    group = make_cgroup(limits.total_mib + KERNEL_MIB, limits.rlimits["RLIMIT_NPROC"])
    try:
        program = await asyncio.create_subprocess_exec(
            *WAITING,
            str(find_binary()),
            *_sandbox(settings, folder),
            *("--", "/usr/bin/python3", "-IS", f"{_ROOM}/inside.py", *asked),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        if group:
            group.remove()
        raise CommandFailed(f"the agent's command cannot be started: {error}") from error
    try:
        assert program.stdin is not None
        if group:
            group.admit(program.pid)
        program.stdin.write(b"\n" + (said.encode() if asked == words else b""))
        program.stdin.close()
        yield program
    finally:
        if program.returncode is None:
            program.kill()
        await program.wait()
        if group:
            await asyncio.to_thread(group.remove)


def _sandbox(settings: Settings, folder: Path) -> list[str]:
    """bwrap's options: the system's programs, the folders that the settings name, and nothing else of the host.

    What the sandbox needs beside them is put into `folder`.
    """
    inside, passwd = folder / "inside.py", folder / "passwd"
    inside.write_text("#!/usr/bin/python3 -IS\n" + Path(command_inside.__file__).read_text())
    inside.chmod(0o755)
    passwd.write_text(f"user:x:1000:1000:user:{HOME}:/bin/bash\n")
    shown = [str(Path(name).resolve()) for name in settings.agent_command_folders]
    shells = {
        str(Path(path).resolve()) for name in command_inside.SHELLS if (path := shutil.which(name, path="/usr/bin"))
    }
    address = f"http://127.0.0.1:{command_inside.PORT}/v1"
    environment = {
        "PATH": os.pathsep.join([*(f"{name}/bin" for name in shown), "/usr/bin", "/bin"]),
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "OPENAI_API_BASE": address,
        "OPENAI_BASE_URL": address,
        "OPENAI_API_KEY": "local",
    }
    options = ["--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--disable-userns"]
    options += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "agent"]
    options += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path(f"/usr/{name}").exists():
            options += ["--symlink", f"usr/{name}", f"/{name}"]
    options += ["--size", _TMPFS_BYTES, "--tmpfs", "/tmp", "--size", _TMPFS_BYTES, "--tmpfs", HOME]
    options += ["--ro-bind", str(passwd), "/etc/passwd"]
    for name in shown:
        options += ["--ro-bind", name, name]
    options += ["--ro-bind", str(folder), _ROOM]
    for shell in sorted(shells):
        options += ["--ro-bind", str(inside), shell]
    for name, value in environment.items():
        options += ["--setenv", name, value]
    return [*options, "--chdir", HOME]


async def _last_words(program: asyncio.subprocess.Process) -> tuple[str, str]:
    """The end of what the program printed and of what it complained of, once it has ended."""
    assert program.stdout is not None and program.stderr is not None
    output, complaints = await asyncio.gather(_tail(program.stdout), _tail(program.stderr))
    await program.wait()
    return output, complaints


async def _tail(stream: asyncio.StreamReader) -> str:
    kept = b""
    while chunk := await stream.read(65536):
        kept = (kept + chunk)[-_MOST_WORDS:]
    return kept.decode("utf-8", "replace")
