"""Pages of the world outside: fetched by the host, never by a workspace, and only from hosts that someone has allowed.

Off unless `ISE_WEB_HOSTS` names hosts. An answer is recorded with its call and never fetched again: the replay shows the record.
A host's name must lead to a public address, whatever it leads to at the next look: the connection goes to what was checked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

MOST_BYTES = 2_000_000
_KEPT_HEADERS = ("content-type", "location", "retry-after", "link", "etag")
_PORTS = {"http": 80, "https": 443}


def is_allowed(url: str, hosts: Collection[str]) -> bool:
    """Whether the URL is http or https at its usual port, without credentials, on exactly one of `hosts`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    usual = parts.scheme in _PORTS and port in (None, _PORTS[parts.scheme])
    return usual and "@" not in parts.netloc and parts.hostname in hosts


async def fetch(url: str, timeout_s: float) -> dict[str, Any]:
    """GET, without following redirects: `status`, `headers` (lines), `body` (text), or `error`."""
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Public(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            public = [
                ResolveResult(
                    hostname=host, host=str(where[0]), port=port, family=kin, proto=0, flags=socket.AI_NUMERICHOST
                )
                for kin, _, _, _, where in found
                if is_public(str(where[0]))
            ]
            if not public:
                raise OSError(f"{host} leads to no public address")
            return public

        async def close(self) -> None:
            """Nothing is held."""

    host = urlsplit(url).hostname or ""
    if _is_address(host) and not is_public(host):
        return {"error": f"{host} is not a public address"}
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=Public(), use_dns_cache=False),
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                headers={"User-Agent": "agent", "Accept-Encoding": "identity"},
                auto_decompress=False,  # a small answer must not become a large one here
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            body = bytearray()
            async for chunk in answer.content.iter_chunked(65_536):
                body += chunk
                if len(body) > MOST_BYTES:
                    break
            headers = "\n".join(f"{k.lower()}: {v}" for k, v in answer.headers.items() if k.lower() in _KEPT_HEADERS)
            text = bytes(body[:MOST_BYTES]).decode(_encoding(answer), "replace")
            return {"status": answer.status, "headers": headers, "body": text}
    except TimeoutError:
        return {"error": "it did not answer in time"}
    except (aiohttp.ClientError, OSError, ValueError) as error:
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        return {"error": str(cause) or type(cause).__name__}


def is_public(address: str) -> bool:
    """Whether an address is one of the Internet's, and none of this machine or of a network around it."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_global and not found.is_multicast


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _encoding(answer: Any) -> str:
    import codecs

    try:
        return codecs.lookup(answer.charset or "utf-8").name
    except LookupError:
        return "utf-8"
