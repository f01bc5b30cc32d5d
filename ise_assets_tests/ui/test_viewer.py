"""The viewer in a real browser: filters, keys, links, and a hostile session whose scripts don't run."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from ise_assets_tests.view.world import HOSTILE, fill


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`ise view` over sixty plain sessions and a hostile one."""
    home = tmp_path_factory.mktemp("viewer")
    fill(home / "ise.duckdb")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "ise_assets.cli", "view", "--port", str(port)],
        env={**os.environ, "ISE_HOME": str(home), "ISE_WAREHOUSE": ""},
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            assert process.poll() is None
            try:
                urllib.request.urlopen(url, timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def page(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    pictures = Path(os.environ.get("ISE_TEST_ARTEFACTS") or tmp_path)
    page = browser.new_page(viewport={"width": 1500, "height": 950})
    yield page
    page.screenshot(path=pictures / f"viewer-{request.node.name}.png")
    page.close()


def test_a_person_finds_a_session_by_filters_and_keys(address: str, page: Page) -> None:
    page.goto(address)
    expect(page.get_by_text("61 found")).to_be_visible()
    page.get_by_label("domain").select_option("multimedia")
    page.get_by_label("tool").select_option("web_fetch")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("10 found")).to_be_visible()
    page.wait_for_load_state()  # a page shows its words before it takes keys
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="s006")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("f")
    expect(page.locator("article.here.failed#call-0")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text("10 found")).to_be_visible()  # the filters are still there
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type("jk/f")  # typed, not obeyed
    expect(page.get_by_label("text")).to_have_value("jk/f")


def test_a_link_to_a_call_leads_to_it(address: str, page: Page) -> None:
    page.goto(f"{address}/session/s012#call-1")
    expect(page.locator("#call-1")).to_be_in_viewport()
    page.get_by_role("link", name="call 0").click()
    assert page.url.endswith("#call-0")


def test_no_script_of_a_hostile_session_runs_and_nothing_is_loaded_from_elsewhere(address: str, page: Page) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))

    def heard(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    page.on("console", heard)
    for path in ("/session/hostile", "/?text=script", "/?persona=%3Cscript%3Ealert(1)%3C/script%3E"):
        page.goto(address + path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.hacked") is None
        assert page.title() in ("hostile", "Sessions")
        assert page.locator("img").count() == 0
    page.goto(f"{address}/session/hostile")
    assert page.locator(".call").first.inner_text().count("window.hacked") >= 2  # it is shown, as text
    assert HOSTILE.splitlines()[0][:40] in page.locator("article.user").first.inner_text()
    assert {re.sub(r"^http://127\.0\.0\.1:\d+", "", url).split("?")[0] for url in asked} <= {
        "/",
        "/session/hostile",
        "/static/view.css",
        "/static/view.js",
        "/favicon.ico",
    }
    assert [text for text in complaints if "favicon" not in text and "404" not in text] == []
