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
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from ise_assets.execute.backends.bubblewrap import Bubblewrap, BubblewrapChannel, find_binary
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
_MOST_BYTES = 8 << 20
_MOST_CONNECTIONS = 64
_BODY_WITHIN_S = 10.0
_MOST_WORDS = 100_000
"""Bytes of a program's last words that are kept: its answer, or what went wrong."""


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
    _over: bool = True
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
        self._user_turn, self._pending, self._over = user_turn, [], False
        ending: asyncio.Future[Stop]
        ending = self._ending = asyncio.get_running_loop().create_future()
        try:
            with tempfile.TemporaryDirectory(prefix="ise-agent-", dir="/tmp") as folder:
                async with self._served(Path(folder)), _started(self.settings, Path(folder), message) as program:
                    left = max(0.0, self.deadline - time.monotonic())
                    either: list[asyncio.Future[Any]] = [program.ended, ending]
                    await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                    self._over = True
                    # what is under way comes to its end: it is paid for, or has changed something
                    async with self._asking, self._running:
                        self._answer_calls(())
                    if ending.done():
                        return ending.result()
                    if not program.ended.done():
                        return "max_session_minutes"
                    return self._ended(*await program.last_words())
        finally:
            self._over = True
            if ending.done():
                ending.exception()  # seen, also where something else has ended the turn

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
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)  # 0 would be for ever
        await runner.setup()
        serve = runner.server
        assert serve is not None

        def accepted() -> asyncio.BaseProtocol:
            return serve() if len(serve.connections) < _MOST_CONNECTIONS else _Refused()

        socket = await asyncio.get_running_loop().create_unix_server(accepted, str(folder / "agent.sock"))
        try:
            yield
        finally:
            socket.close()
            await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        async with self._asking:
            async with asyncio.timeout(_BODY_WITHIN_S):
                body = await request.json()
            if self._over:
                return _refusal("the session is over")
            self._take_over(body)
            stop = self._spent()
            if sum(len(message.get("tool_calls") or ()) for message in self.messages) > self.settings.max_tool_calls:
                stop = "max_tool_calls"  # asked for, if never run
            if stop is not None:
                return self._end(stop)
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
        self.tools = [tool for tool in body.get("tools") or () if _is_tool(tool)] or self.tools
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
        async with asyncio.timeout(_BODY_WITHIN_S):
            command = str((await request.json())["command"])
        call = next((call for call in self._pending if _asks_for(call, command)), None)
        if call is None or self._over:
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


def _is_tool(tool: Any) -> bool:
    return isinstance(tool, dict) and isinstance(tool.get("function"), dict) and bool(tool["function"].get("name"))


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


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Gone again."""
        cast(asyncio.Transport, transport).abort()


class _Tail(asyncio.Protocol):
    """The end of what comes through a pipe; all of it is read, however much it is."""

    def __init__(self) -> None:
        self.kept = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Keeps the last of it."""
        self.kept = (self.kept + data)[-_MOST_WORDS:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more."""
        if not self.ended.done():
            self.ended.set_result(None)


@dataclass
class _Program:
    """A program in its sandbox: `ended` once nothing of it is left that could print."""

    channel: BubblewrapChannel
    output: _Tail
    complaints: _Tail
    ended: asyncio.Future[Any]

    async def last_words(self) -> tuple[int, str, str]:
        """How it exited, and the end of what it printed and of what it complained of; once it has ended."""
        code = await asyncio.to_thread(self.channel.process.wait)
        return code, self.output.kept.decode("utf-8", "replace"), self.complaints.kept.decode("utf-8", "replace")


@asynccontextmanager
async def _started(settings: Settings, folder: Path, message: str) -> AsyncIterator[_Program]:
    """The program in its sandbox; it ends with the block, and so does all it started."""
    words = shlex.split(settings.agent_command)
    said = message.replace("\0", " ").encode("utf-8", "replace").decode()  # what an argument may hold
    asked = [word.replace("{message}", said) for word in words]
    command = ["/usr/bin/python3", "-IS", f"{_ROOM}/inside.py", *asked]
    limits = Limits.of(settings)
    try:
        channel = await Bubblewrap().start(limits, command, lambda uid: _furnish(settings, limits, folder, uid))
    except WorkspaceDied as error:
        raise CommandFailed(f"the agent's command cannot be started: {error}") from error
    process, transports = channel.process, list[asyncio.ReadTransport]()
    try:
        tails = []
        for pipe in (process.stdout, process.stderr):
            transport, tail = await asyncio.get_running_loop().connect_read_pipe(_Tail, pipe)
            transports.append(transport)
            tails.append(tail)
        output, complaints = tails
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already, and its last words say why
            process.stdin.write(said.encode() if asked == words else b"")
            process.stdin.close()
        yield _Program(channel, output, complaints, asyncio.gather(output.ended, complaints.ended))
    finally:
        for transport in transports:
            transport.close()
        await asyncio.sleep(0)  # they close their pipes
        await asyncio.shield(asyncio.to_thread(channel.end))


def _furnish(settings: Settings, limits: Limits, folder: Path, uid: int | None) -> list[str]:
    """What the sandbox has beside a workspace's: the folders that the settings name, the session's socket, our shell for theirs."""
    inside = folder / "inside.py"
    inside.write_text("#!/usr/bin/python3 -IS\n" + Path(command_inside.__file__).read_text())
    inside.chmod(0o755)
    for path in (folder, *folder.iterdir()):
        if uid is not None:
            os.chown(path, uid, uid)
    shown = [str(Path(name).resolve()) for name in settings.agent_command_folders]
    address = f"http://127.0.0.1:{command_inside.PORT}/v1"
    environment = {
        "PATH": os.pathsep.join([*(f"{name}/bin" for name in shown), "/usr/bin", "/bin"]),
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "OPENAI_API_BASE": address,
        "OPENAI_BASE_URL": address,
        "OPENAI_API_KEY": "local",
        # how much a process may map says nothing of what it uses: the control group bounds that
        "ISE_RLIMITS": json.dumps({name: most for name, most in limits.rlimits.items() if name != "RLIMIT_AS"}),
    }
    options = ["--unsetenv", "AGENTD_SETTINGS", "--ro-bind", str(folder), _ROOM]
    for name in shown:
        options += ["--ro-bind", name, name]
    for place in ("/usr/bin", *(f"{name}/bin" for name in shown)):
        found = (shutil.which(shell, path=place) for shell in command_inside.SHELLS)
        for shell in sorted({str(Path(path).resolve()) for path in found if path}):
            options += ["--ro-bind", str(inside), shell]
    for name, value in environment.items():
        options += ["--setenv", name, value]
    return options
