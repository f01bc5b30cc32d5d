"""Workspaces on a workspace host (`ise workspace-host`): for runs that may start none themselves, in containers say.

ISE_WORKSPACE_HOST says where it is, ISE_WORKSPACE_TOKEN what proves that we may. What isolates there is the host's backend.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ise_assets.execute.host import GREETING_S, HostRefused, proof, receive, send
from ise_assets.execute.models import WorkspaceDied
from ise_assets.execute.workspace import Backend, Channel, Limits
from ise_assets.settings import load_settings

_END_S = 60.0
_PORT = 7070


class RemoteChannel(Channel):
    """A connection that carries one agentd's frames."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits, address: str
    ) -> None:
        self.limits = limits
        self._reader, self._writer, self._address = reader, writer, address
        # of our own, so that `end` may block on it in any thread, whatever became of asyncio's
        self._socket: socket.socket | None = writer.get_extra_info("socket").dup()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Its two ends."""
        return self._reader, self._writer

    def disconnect(self) -> None:
        """Close asyncio's end."""
        self._writer.close()

    def last_words(self) -> str:
        """The host keeps what the sandbox said."""
        return f"the workspace host {self._address} closed the connection; its log says more"

    def end(self) -> None:
        """Tell the host to end it and wait until it has: it closes the connection then."""
        own, self._socket = self._socket, None
        if own is None:
            return
        with own, contextlib.suppress(OSError):  # the host has gone, and its workspaces with it
            own.shutdown(socket.SHUT_WR)
            own.settimeout(_END_S)
            while own.recv(1 << 16):
                pass


class Remote(Backend):
    """Workspaces that another process starts.

    Args:
        address: `host:port`; ISE_WORKSPACE_HOST by default.
        token: what the host knows, too; ISE_WORKSPACE_TOKEN by default.
    """

    name = "remote"

    def __init__(self, address: str | None = None, token: str | None = None) -> None:
        settings = load_settings()
        self.address = settings.workspace_host if address is None else address
        self._token = settings.workspace_token.get_secret_value() if token is None else token

    def probe(self) -> str | None:
        """Why no workspace can be had, with the remedy; None when the host would give one."""
        if not self.address or not self._token:
            return "set ISE_WORKSPACE_HOST (host:port of `ise workspace-host`) and ISE_WORKSPACE_TOKEN (the same there)"
        try:
            with ThreadPoolExecutor(1) as pool:  # the caller may be in an event loop already
                pool.submit(lambda: asyncio.run(self._ask_only())).result()
        except WorkspaceDied as error:
            return str(error)
        return None

    async def open(self, limits: Limits) -> Channel:
        """A connection with a fresh workspace at its other end.

        Raises:
            WorkspaceDied: the host cannot be reached, does not know us, is full, or could not start one.
        """
        sizes = {"memory_mib": limits.memory_mib, "disk_mib": limits.disk_mib, "output_chars": limits.output_chars}
        reader, writer = await self._greeted(sizes)
        return RemoteChannel(reader, writer, limits, self.address)

    def sweep(self) -> None:
        """Nothing: a workspace ends with its connection."""

    async def _ask_only(self) -> None:
        _, writer = await self._greeted({})
        writer.close()

    async def _greeted(self, sizes: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self.address.rpartition(":") if ":" in self.address else (self.address, "", str(_PORT))
        writer = None
        try:
            async with asyncio.timeout(3 * GREETING_S):
                reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), limit=1 << 20)
                challenge = (await receive(reader)).get("challenge")
                await send(writer, {"proof": proof(self._token, str(challenge)), **sizes})
                answer = await receive(reader)
                if "ok" not in answer:
                    raise HostRefused(str(answer.get("error"))[:1_000])
                return reader, writer
        except (OSError, ValueError, HostRefused, TimeoutError) as error:
            if writer is not None:
                writer.close()
            raise WorkspaceDied(f"workspace host {self.address}: {error or 'no answer in time'}") from error
        except BaseException:
            if writer is not None:
                writer.close()
            raise


BACKEND = Remote
"""What `open_backend` makes."""
