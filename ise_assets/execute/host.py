"""The workspace host: the one process of a deployment that may start workspaces, for runs on other machines and in containers.

A run connects by TCP, proves that it knows the token, says how large its workspace may be, and from then on the connection carries
the frames of one agentd. When it closes, for whatever reason, the workspace is gone. The token never travels: the host sends
a challenge, the run answers with its HMAC. What follows is not encrypted: keep the port in a private network.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import secrets
import struct
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ise_assets.execute.models import WorkspaceDied
from ise_assets.execute.workspace import Backend, Channel, Limits
from ise_assets.settings import Settings

GREETING_MAX = 64 << 10
"""Bytes that a greeting may have, either way."""
GREETING_S = 20.0
_CHUNK = 256 << 10
_REFUSAL_DELAY_S = 0.5
_log = logging.getLogger(__name__)


class HostRefused(Exception):
    """The other side does not speak this protocol, or said no; the message is its reason."""


class Silent(HostRefused):
    """It closed the connection without a word, as who only looks whether somebody listens."""


class Wish(BaseModel):
    """What a run asks of the host; without sizes it only wants to know whether it could."""

    model_config = ConfigDict(extra="forbid")

    proof: str
    memory_mib: int | None = Field(default=None, ge=64)
    disk_mib: int | None = Field(default=None, ge=1)
    output_chars: int = Field(default=8_000, ge=1)


def proof(token: str, challenge: str) -> str:
    """The answer to a challenge by somebody who knows the token."""
    return hmac.new(token.encode(), challenge.encode(), hashlib.sha256).hexdigest()


async def send(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    """One message of the greeting: four bytes of length, then JSON."""
    body = json.dumps(message).encode()
    writer.write(struct.pack(">I", len(body)) + body)
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> dict[str, Any]:
    """The other side's message.

    Raises:
        HostRefused: it is none, or too long.
    """
    try:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        if length > GREETING_MAX:
            raise HostRefused("what answers there is no workspace host")
        message = json.loads(await reader.readexactly(length))
    except asyncio.IncompleteReadError as error:
        raise (HostRefused if error.partial else Silent)("what answers there is no workspace host") from error
    except ValueError as error:
        raise HostRefused("what answers there is no workspace host") from error
    if not isinstance(message, dict):
        raise HostRefused("what answers there is no workspace host")
    return message


class WorkspaceHost:
    """Serves workspaces of `backend` to whoever knows the token.

    Args:
        backend: what starts them, on this machine.
        settings: token, sizes that nobody may exceed, and how many there may be at once.
    """

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self._backend = backend
        self._token = settings.workspace_token.get_secret_value()
        self._most = Limits.of(settings)
        self._room = asyncio.Semaphore(settings.max_hosted_workspaces)
        self._live: set[asyncio.Task[None]] = set()

    @property
    def live(self) -> int:
        """Connections at this moment."""
        return len(self._live)

    async def serve(self, host: str, port: int, ready: Callable[[int], None] = lambda port: None) -> None:
        """Serve until cancelled; then every workspace is ended. `ready` is told the port."""
        server = await asyncio.start_server(self._connected, host, port)
        ready(server.sockets[0].getsockname()[1])
        try:
            async with server:
                await server.serve_forever()
        finally:
            for task in list(self._live):
                task.cancel()
            await asyncio.gather(*self._live, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._live.add(task)
        try:
            await self._attend(reader, writer)
        except Silent:
            _log.debug("%s: looked in", writer.get_extra_info("peername"))
        except (HostRefused, TimeoutError, ConnectionError) as error:
            _log.warning("%s: %s", writer.get_extra_info("peername"), error or "no greeting in time")
        finally:
            self._live.discard(task)
            writer.close()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(GREETING_S):
            limits = await self._greet(reader, writer)
        if limits is None:
            return
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(GREETING_S):
                    await stack.enter_async_context(self._room)
            except TimeoutError:
                return await send(writer, {"error": "the workspace host is full"})
            try:
                channel = await self._backend.open(limits)
            except WorkspaceDied as error:
                return await send(writer, {"error": str(error)})
            try:
                await send(writer, {"ok": self._backend.name})
                await _carry(channel, reader, writer)
            finally:
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, channel.end))
                channel.disconnect()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Limits | None:
        challenge = secrets.token_hex(32)
        await send(writer, {"challenge": challenge})
        try:
            wish = Wish.model_validate(await receive(reader))
        except ValidationError as error:
            raise HostRefused(f"no greeting of ours: {error.error_count()} fields are wrong") from error
        if not hmac.compare_digest(proof(self._token, challenge), wish.proof):
            await asyncio.sleep(_REFUSAL_DELAY_S)
            await send(writer, {"error": "the token is not this host's (ISE_WORKSPACE_TOKEN)"})
            raise HostRefused("wrong token")
        if wish.memory_mib is None or wish.disk_mib is None:
            await send(writer, {"ok": self._backend.name})
            return None
        if wish.memory_mib > self._most.memory_mib or wish.disk_mib > self._most.disk_mib:
            text = f"at most {self._most.memory_mib} MiB of memory and {self._most.disk_mib} MiB a disk are given here"
            await send(writer, {"error": f"{text} (ISE_WORKSPACE_MEMORY_MIB, ISE_WORKSPACE_DISK_MIB of the host)"})
            raise HostRefused("too large a workspace was asked for")
        return Limits.sized(wish.memory_mib, wish.disk_mib, wish.output_chars)


async def _carry(channel: Channel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes both ways, until either side has ended."""
    from_agentd, to_agentd = await channel.connect()
    ways = [asyncio.create_task(_pour(reader, to_agentd)), asyncio.create_task(_pour(from_agentd, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):  # the other side has gone: the end of it
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
