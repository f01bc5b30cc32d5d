"""The viewer's pages without a browser: what is listed, what is shown, and that nothing hostile gets through."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from ise_assets.view.app import make_app
from ise_assets.warehouse import Warehouse
from ise_assets_tests.view.world import HOSTILE, add_session, fill


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    warehouse = fill(tmp_path_factory.mktemp("view") / "ise.duckdb")
    return TestClient(make_app(warehouse, ["testserver"]))


def listed(pages: TestClient, query: str) -> list[str]:
    answer = pages.get(f"/?{query}")
    assert answer.status_code == 200, answer.text
    return re.findall(r'<td><a href="/session/([^"]+)">', answer.text)


def test_the_list_has_pages_and_every_session_once(pages: TestClient) -> None:
    first, second = listed(pages, ""), listed(pages, "page=2")
    assert (len(first), len(second)) == (50, 11)
    assert sorted([*first, *second]) == sorted(["hostile", *(f"s{n:03}" for n in range(60))])
    assert "61 found" in pages.get("/").text and 'rel="next"' in pages.get("/").text
    assert listed(pages, "page=3") == []


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("domain=multimedia", [n for n in range(60) if n % 2 == 0]),
        ("accepted=no", [n for n in range(60) if n % 4 == 0]),
        ("failures=4", [n for n in range(60) if n % 5 == 4]),
        ("drift=6", [n for n in range(60) if n % 7 == 6]),
        ("tool=web_fetch", [n for n in range(60) if n % 3 == 0]),
        ("persona=WORDS+59", [59]),
        ("text=s00&domain=file-io", [1, 3, 5, 7, 9]),
        ("failure=words+7", [7]),
        ("task=words+8", [8]),
        ("domain=multimedia&accepted=yes&failures=3&tool=web_fetch", [18, 54]),
        ("reproduced=yes", []),
        ("cost=0.6", []),
        ("status=completed&domain=&accepted=&cost=&page=1&text=words+42", [42]),
    ],
)
def test_the_list_can_be_narrowed(pages: TestClient, query: str, wanted: list[int]) -> None:
    assert listed(pages, query) == [f"s{n:03}" for n in wanted]


def test_the_list_can_be_sorted(pages: TestClient) -> None:
    order = [int(identity[1:]) % 5 for identity in listed(pages, "sort=failures&status=completed")]
    assert order == sorted(order, reverse=True) and order[0] == 4


@pytest.mark.parametrize("query", ["failures=many", "sort=;drop", "accepted=perhaps", "page=x"])
def test_a_filter_that_makes_no_sense_is_told(pages: TestClient, query: str) -> None:
    answer = pages.get(f"/?{query}")
    assert answer.status_code == 400 and query.partition("=")[0] in answer.text


def test_a_session_shows_its_whole_story(pages: TestClient) -> None:
    text = pages.get("/session/s003").text
    for part in ('id="turn-1"', 'id="call-0"', 'id="call-1"', "exit 2", "differs in replay", "recovery words 3"):
        assert part in text, part
    for part in ("Checks", "Guards", "Recoveries", "Files that end otherwise", "Left changed", "Wanted", "Provenance"):
        assert f"<h2>{part}" in text, part


def test_a_session_that_was_not_replayed_says_so(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "ise.duckdb")
    add_session(warehouse, "young", "words", status="error")
    warehouse.write(lambda c: c.execute("DELETE FROM executed_traces; DELETE FROM tool_calls"))
    pages = TestClient(make_app(warehouse, ["testserver"]))
    assert "not replayed yet" in pages.get("/session/young").text
    assert listed(pages, "") == ["young"]


@pytest.mark.parametrize(
    "path",
    [
        "/?text=hostile",
        "/?domain=file-io&sort=failures",
        "/session/hostile",
        f"/session/{quote(HOSTILE.replace('/', ''))}",
    ],
)
def test_markup_is_text(pages: TestClient, path: str) -> None:
    text = pages.get(path).text
    assert text.count("<script") == 1 and "<img" not in text
    assert "{{7*7}}" in text
    if path == "/session/hostile":
        assert text.count("&lt;script&gt;window.hacked") >= 30


@pytest.mark.parametrize("path", ["/", "/session/s001", "/session/none", "/?page=x", "/static/view.js", "/nowhere"])
def test_every_answer_forbids_foreign_scripts(pages: TestClient, path: str) -> None:
    headers = pages.get(path).headers
    assert (
        "default-src 'none'" in headers["content-security-policy"]
        and "unsafe" not in headers["content-security-policy"]
    )
    assert headers["x-content-type-options"] == "nosniff"


def test_another_name_for_this_machine_gets_nothing(pages: TestClient) -> None:
    assert pages.get("/", headers={"host": "evil.example"}).status_code == 400


def test_nothing_can_be_changed(pages: TestClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert pages.request(method, "/session/s001").status_code == 405


def test_what_is_not_there_is_told(pages: TestClient, tmp_path: Path) -> None:
    assert pages.get("/session/none").status_code == 404
    empty = TestClient(make_app(Warehouse(tmp_path / "ise.duckdb"), ["testserver"]))
    assert "make demo" in empty.get("/").text
    (tmp_path / "other.duckdb").write_bytes(b"no database" * 100)
    broken = TestClient(make_app(Warehouse(tmp_path / "other.duckdb"), ["testserver"])).get("/")
    assert broken.status_code == 503 and "cannot be opened" in broken.text


def test_static_files_lead_nowhere_else(pages: TestClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"):
        assert pages.get(path).status_code == 404
