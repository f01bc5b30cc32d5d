"""The documentation builds without a warning: every link leads somewhere, and the configuration page is the settings'."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from ise_assets.settings import PROJECT, Settings

DOCS = PROJECT / "docs"


def test_the_pages_are_made_without_a_warning_and_every_link_in_them_leads_somewhere(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(tmp_path / "html")],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr[-3_000:]
    pages = {path.name for path in (tmp_path / "html").glob("*.html")}
    assert {path.with_suffix(".html").name for path in DOCS.glob("*.md")} <= pages


def test_a_broken_link_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_bytes((DOCS / "conf.py").read_bytes())
    (tmp_path / "warehouse.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "index.md").write_text("# A page\n\n[nowhere](gone.md) and [no heading](#gone)\n", encoding="utf-8")
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "--keep-going",
            "-b",
            "html",
            str(tmp_path),
            str(tmp_path / "html"),
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode != 0
    assert made.stderr.count("cross-reference target not found") == 2, made.stderr


def test_the_configuration_page_is_made_from_the_settings() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        from make_configuration import PAGE, page
    finally:
        sys.path.remove(str(DOCS))
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python docs/make_configuration.py"
    assert page().count("| `ISE_") == len(Settings.model_fields)


def test_the_readme_links_to_files_and_headings_that_there_are() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (PROJECT / "README.md").read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert len(local) > 10
    for link in local:
        path, _, heading = link.partition("#")
        assert (PROJECT / path).exists(), link
        if heading:
            titles = re.findall(r"^#+ (.+)$", (PROJECT / path).read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, link
