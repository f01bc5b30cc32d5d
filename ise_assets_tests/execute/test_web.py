"""Pages from outside: only allowed hosts, only public addresses, bounded, never followed elsewhere, never fetched twice."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ise_assets.execute import web
from ise_assets.execute.tools import call_tool
from ise_assets.execute.workspace import Backend, Limits, Workspace, open_backend
from ise_assets.settings import Settings
from ise_assets_tests.execute.test_replay import record, replayed

HOST = "docs.example"


class Site(BaseHTTPRequestHandler):
    asked: list[tuple[str, str]] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        self.asked.append((self.headers["Host"], self.path))
        moved = self.path == "/moved"
        self.send_response(302 if moved else 404 if self.path == "/gone" else 200)
        if moved:
            self.send_header("Location", "http://127.0.0.1/secret")
        self.send_header("Set-Cookie", "a=b")
        self.send_header("Content-Type", "text/html; charset=latin-1")
        self.end_headers()
        if self.path == "/endless":
            while True:
                try:
                    self.wfile.write(b"x" * 65536)
                except OSError:
                    return
        self.wfile.write("Stra\xdfe".encode("latin-1"))

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on loopback to which the name docs.example leads; loopback passes for public here."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    real = socket.getaddrinfo

    def lookup(host: Any, *given: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == HOST else host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(web, "is_public", lambda address: True)
    monkeypatch.setattr(web, "_PORTS", {"http": server.server_port})
    Site.asked.clear()
    yield f"http://{HOST}:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def backend() -> Backend:
    return open_backend("auto")


def settings(tmp_path: Path, hosts: str) -> Settings:
    return Settings(_env_file=None, home=tmp_path, web_hosts=hosts, tool_output_chars=1000)  # type: ignore[call-arg,arg-type]


async def fetched(backend: Backend, settings: Settings, url: str) -> tuple[str, str]:
    async with await Workspace.start(backend, Limits()) as w:
        result = await call_tool(w, "web_fetch", json.dumps({"url": url}), call_index=0, settings=settings)
        return result.outcome, result.content


async def test_off_unless_allowed(site: str, backend: Backend, tmp_path: Path) -> None:
    assert (await fetched(backend, settings(tmp_path, ""), f"{site}/"))[0] == "denied"
    assert (await fetched(backend, settings(tmp_path, "other.example"), f"{site}/"))[0] == "denied"
    assert Site.asked == []
    outcome, content = await fetched(backend, settings(tmp_path, f"other.example, {HOST.upper()}"), f"{site}/a?b")
    assert outcome == "ok" and content.endswith("Straße") and "cookie" not in content.lower()
    assert [path for _, path in Site.asked] == ["/a?b"]


async def test_redirects_are_shown_and_not_followed_errors_are_errors_and_size_is_bounded(
    site: str, backend: Backend, tmp_path: Path
) -> None:
    allowed = settings(tmp_path, HOST)
    outcome, content = await fetched(backend, allowed, f"{site}/moved")
    assert outcome == "ok" and content.startswith("HTTP 302\nlocation: http://127.0.0.1/secret")
    assert (await fetched(backend, allowed, f"{site}/gone"))[0] == "tool_error"
    outcome, content = await fetched(backend, allowed, f"{site}/endless")
    assert outcome == "ok" and len(content) < 2000 and "characters left out" in content


async def test_a_name_that_leads_inside_is_refused(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: real("127.0.0.1", *a, **k))
    answer = await web.fetch(site, 5)
    assert "leads to no public address" in answer["error"]
    assert "is not a public address" in (await web.fetch("http://169.254.169.254/latest", 5))["error"]
    assert Site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("fd00::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert web.is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.example.evil.example/",
        "http://evil.example/docs.example",
        "http://docs.example@evil.example/",
        "http://user:pw@docs.example/",
        "http://docs.example:22/",
        "ftp://docs.example/",
        "file:///etc/passwd",
        "http://docs.example:x/",
        "//docs.example/",
        "http://[::1",
    ],
)
def test_what_only_looks_allowed_is_not(url: str) -> None:
    assert not web.is_allowed(url, {HOST})
    assert web.is_allowed("https://docs.example/a", {HOST}) and web.is_allowed("http://DOCS.example:80/", {HOST})


def test_a_setting_that_names_no_hosts_is_refused(tmp_path: Path) -> None:
    for wrong in ("https://docs.example", "docs.example/a", "docs.example:80", "*.example"):
        with pytest.raises(ValidationError, match="names of hosts"):
            settings(tmp_path, wrong)


async def test_a_replay_shows_the_record_and_asks_nobody(site: str, backend: Backend, tmp_path: Path) -> None:
    allowed = settings(tmp_path, HOST)
    dialogue = await record(
        backend, allowed, ("web_fetch", {"url": f"{site}/page"}), ("web_fetch", {"url": f"{site}/gone"})
    )
    assert len(Site.asked) == 2
    trace = await replayed(dialogue, backend, settings(tmp_path, ""))
    assert trace.reproduced and len(Site.asked) == 2
    assert [call["replay_outcome"] for call in trace.calls] == ["ok", "tool_error"]
