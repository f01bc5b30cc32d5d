"""The journal: what was appended is there whatever happens, and two runs never hold the same one."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ise_assets.journal import Journal
from ise_assets.settings import PROJECT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journals" / "file-io.sqlite"


_KILLED = """
import os, signal, sys
from ise_assets.journal import Journal
journal = Journal(sys.argv[1])
for number in range(200):
    journal.append(f"i{number}", {"number": number, "text": "x" * 5000})
    print(number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kill_after", [1, 20, 200])
def test_everything_appended_before_a_sigkill_is_there(path: Path, kill_after: int) -> None:
    with subprocess.Popen([sys.executable, "-c", _KILLED, str(path)], cwd=PROJECT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        for _ in range(kill_after):
            told = int(writer.stdout.readline())
        if kill_after < 200:
            writer.kill()
        assert writer.wait() == -signal.SIGKILL
    with Journal(path) as journal:
        found = dict(journal.items())
        assert len(found) >= told + 1
        assert found == {f"i{n}": {"number": n, "text": "x" * 5000} for n in range(len(found))}
        journal.append("more", {})
        assert "more" in journal.ids()


@examples(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(identity=st.text(st.characters(exclude_categories=["Cs"]), max_size=30), body=st.dictionaries(st.text(), JSON))
def test_any_item_comes_back_as_it_went_in(path: Path, identity: str, body: dict[str, Any]) -> None:
    with Journal(path) as journal:
        journal.append(identity, body)
        assert dict(journal.items())[identity] == body
        journal.append(identity, {"again": True})
        assert dict(journal.items())[identity] == {"again": True}
        journal.forget([identity])
        assert identity not in journal.ids()


def test_items_come_in_the_order_written_and_by_kind(path: Path) -> None:
    with Journal(path) as journal:
        for identity in ("b", "c", "a"):
            journal.append(identity, {})
        journal.append("d", {}, kind="other")
        assert [identity for identity, _ in journal.items()] == ["b", "c", "a"]
        assert (journal.ids(), journal.ids("other")) == ({"a", "b", "c"}, {"d"})


_HOLDER = """
import sys
from ise_assets.journal import Journal
journal = Journal(sys.argv[1])
journal.append("theirs", {"by": "the first run"})
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_run_waits_for_the_first_and_finds_its_work(path: Path) -> None:
    second = "import sys; from ise_assets.journal import Journal; print(dict(Journal(sys.argv[1]).items()))"
    first = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    waiting = None
    try:
        assert first.stdout and first.stdin
        assert first.stdout.readline() == "held\n"
        waiting = subprocess.Popen(
            [sys.executable, "-c", second, str(path)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.stderr and waiting.stdout
        assert "file-io.sqlite is in use" in waiting.stderr.readline()  # it says so, and stays
        assert waiting.poll() is None
        with Journal(path) as looking:  # who only looks at the ids need not wait
            assert looking.ids() == {"theirs"}
        first.kill()  # the lock goes with the process
        assert waiting.stdout.read() == "{'theirs': {'by': 'the first run'}}\n"
        assert waiting.wait() == 0
    finally:
        for process in filter(None, (first, waiting)):
            process.kill()
            process.communicate()


def test_a_closed_journal_is_free_for_the_next(path: Path) -> None:
    for number in range(3):
        with Journal(path) as journal:
            journal.append(str(number), {})
    with Journal(path) as journal:
        assert journal.ids() == {"0", "1", "2"}


def test_a_write_ahead_log_that_an_older_version_left_is_taken_in(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.sqlite"
    writer = sqlite3.connect(old, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE items (id TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL)")
    writer.execute("INSERT INTO items VALUES ('a', 'item', '{}')")
    path.parent.mkdir()
    for suffix in ("", "-wal"):  # as a kill leaves them
        shutil.copyfile(f"{old}{suffix}", f"{path}{suffix}")
    writer.close()
    with Journal(path) as journal:
        journal.append("b", {"number": 1})
        assert dict(journal.items()) == {"a": {}, "b": {"number": 1}}
    assert [one.name for one in path.parent.iterdir() if one.name.endswith(("-wal", "-shm"))] == []
