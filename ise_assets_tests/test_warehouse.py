"""The warehouse under concurrent writers and readers, kills, busy files, and files of other versions."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ise_assets.settings import PROJECT
from ise_assets.warehouse import (
    Replacement,
    Warehouse,
    WarehouseBusy,
    WarehouseError,
    WarehouseTooNew,
    file,
    schema,
)
from ise_assets.warehouse.schema import MIGRATIONS, SCHEMA_VERSION
from ise_assets_tests.pipeline import until

SPAWN = multiprocessing.get_context("spawn")
WRITERS, OVERWRITES = 10, 3


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "ise.duckdb")


def kept(domain: str, *ids: str, run_id: str = "run") -> list[dict[str, Any]]:
    """Rows of deduped_pool."""
    now = datetime(2026, 6, 11, tzinfo=UTC)
    return [{"intent_id": one, "domain": domain, "run_id": run_id, "spec_hash": "s", "written_at": now} for one in ids]


def put(warehouse: Warehouse, rows: list[dict[str, Any]], keys: tuple[str, ...] = ("intent_id",)) -> None:
    warehouse.replace(Replacement.of("deduped_pool", rows, keys))


def overwrite_partition(path: str, number: int) -> None:
    """What each of the ten processes does: its own partition, three times."""
    for generation in range(OVERWRITES):
        rows = kept(f"domain-{number}", *(f"{number}-{item}" for item in range(50)), run_id=f"generation {generation}")
        put(Warehouse(path), rows)


def test_ten_processes_overwrite_their_partitions_and_nothing_is_lost_while_readers_read(warehouse: Warehouse) -> None:
    processes = [SPAWN.Process(target=overwrite_partition, args=(str(warehouse.path), n)) for n in range(WRITERS)]
    for process in processes:
        process.start()
    seen = []
    while any(process.is_alive() for process in processes):
        by_domain = warehouse.rows(
            "SELECT domain, count(*) AS n, count(DISTINCT run_id) AS runs FROM deduped_pool GROUP BY ALL"
        )
        seen.append(len(by_domain))
        assert all((row["n"], row["runs"]) == (50, 1) for row in by_domain)  # never half a partition
    assert [process.exitcode for process in processes] == [0] * WRITERS
    assert len(seen) >= 3 and seen == sorted(seen)
    rows = warehouse.rows(
        "SELECT domain, count(DISTINCT intent_id) AS n, any_value(run_id) AS run FROM deduped_pool GROUP BY domain"
    )
    assert len(rows) == WRITERS
    assert {(row["n"], row["run"]) for row in rows} == {(50, f"generation {OVERWRITES - 1}")}


_KILLED = """
import os, signal, sys
from ise_assets.warehouse.rows import replace
from ise_assets_tests.test_warehouse import *
def fn(connection):
    connection.execute("DELETE FROM deduped_pool")
    rows = kept("file-io", *(f"new-{n}" for n in range(5000)))
    replace(connection, [Replacement.of("deduped_pool", rows, ("intent_id",))])
    if sys.argv[2] == "inside":
        os.kill(os.getpid(), signal.SIGKILL)
Warehouse(sys.argv[1]).write(fn)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("where", "rows"), [("inside", 2), ("after", 5000)])
def test_a_killed_writer_leaves_all_of_its_transaction_or_nothing(warehouse: Warehouse, where: str, rows: int) -> None:
    put(warehouse, kept("file-io", "a", "b"))
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(warehouse.path), where], cwd=PROJECT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == rows
    put(warehouse, kept("file-io", "c"))  # and its lock went with it
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == rows + 1


def test_an_exception_rolls_everything_back(warehouse: Warehouse) -> None:
    put(warehouse, kept("file-io", "a"))

    def fails(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("DELETE FROM deduped_pool")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warehouse.write(fails)
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == 1


def test_a_file_whose_first_writer_was_killed_before_it_made_the_tables_can_be_read(warehouse: Warehouse) -> None:
    duckdb.connect(str(warehouse.path)).close()
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == 0


def test_an_empty_file_becomes_a_warehouse(warehouse: Warehouse) -> None:
    warehouse.path.touch()
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == 0


_HOLDER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def test_a_busy_file_is_named_with_its_remedy(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    put(warehouse, kept("file-io", "a"))
    monkeypatch.setattr(file, "PATIENCE_S", 0.2)
    command = [sys.executable, "-c", _HOLDER, str(warehouse.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdin
        holder.stdout.readline()
        for use in (lambda: warehouse.rows("FROM deduped_pool"), lambda: warehouse.write(lambda connection: None)):
            with pytest.raises(WarehouseBusy) as caught:
                use()
            for words in (str(warehouse.path), "Close other programs", "ise.snapshot.duckdb", str(holder.pid)):
                assert words in str(caught.value)
        holder.stdin.close()
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == 1


def test_a_reader_waits_for_a_writer_of_another_process(warehouse: Warehouse, tmp_path: Path) -> None:
    put(warehouse, kept("file-io", "a"))
    flag = tmp_path / "writing"
    program = (
        "import sys, time; from pathlib import Path; from ise_assets.warehouse import Warehouse\n"
        "def fn(c):\n    Path(sys.argv[2]).touch(); time.sleep(0.5); c.execute('DELETE FROM deduped_pool')\n"
        "Warehouse(sys.argv[1]).write(fn)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(warehouse.path), str(flag)], cwd=PROJECT) as writer:
        until(flag.exists, 60)
        assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == 0  # read after the commit, not before, no error
        assert writer.wait() == 0


def test_threads_of_one_process_read_and_write_side_by_side(warehouse: Warehouse) -> None:
    put(warehouse, kept("file-io", "a"))
    end = time.monotonic() + 3

    def work(one: Callable[[], object]) -> int:
        done = 0
        while time.monotonic() < end:
            one()
            done += 1
        return done

    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(work, lambda n=n: put(warehouse, kept(f"d{n}", f"{n}"))) for n in range(2)]  # type: ignore[misc]
        reading = [
            threads.submit(work, lambda: warehouse.scalar("SELECT count(*) FROM deduped_pool")) for _ in range(2)
        ]
    assert all(one.result() > 0 for one in [*writing, *reading])


def test_a_file_that_is_no_warehouse_is_refused_at_once_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "block-of-notes.duckdb"  # `lock` in its name is no reason to wait
    path.write_text("these are notes, not tables\n" * 1000)
    began = time.monotonic()
    for use in (lambda w: w.rows("SELECT 1"), lambda w: w.write(lambda connection: None)):
        with pytest.raises(WarehouseError, match=r"block-of-notes\.duckdb cannot be opened"):
            use(Warehouse(path))
    assert time.monotonic() - began < 10
    assert path.read_text().startswith("these are notes")


def stamp(version: int) -> Callable[[duckdb.DuckDBPyConnection], None]:
    return lambda connection: connection.execute("UPDATE schema_version SET version = ?", [version])  # type: ignore[return-value]


def test_a_warehouse_of_a_newer_version_is_refused_and_not_touched(warehouse: Warehouse) -> None:
    put(warehouse, kept("file-io", "a"))
    warehouse.write(stamp(SCHEMA_VERSION + 1))
    before = warehouse.path.read_bytes()
    for use in (lambda w: w.rows("FROM deduped_pool"), lambda w: put(w, kept("file-io", "b"))):
        with pytest.raises(WarehouseTooNew, match=rf"schema {SCHEMA_VERSION + 1}.*Update ise_assets"):
            use(Warehouse(warehouse.path))
    assert warehouse.path.read_bytes() == before


def test_a_migration_keeps_the_data_and_runs_once(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    put(warehouse, kept("file-io", "a"))
    ran = []

    def add_a_column(connection: duckdb.DuckDBPyConnection) -> None:
        ran.append(1)
        connection.execute("ALTER TABLE deduped_pool ADD COLUMN reason VARCHAR DEFAULT 'kept'")

    monkeypatch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setitem(MIGRATIONS, SCHEMA_VERSION + 1, add_a_column)
    for _ in range(2):
        rows = Warehouse(warehouse.path).rows("SELECT intent_id, reason FROM deduped_pool")  # a reader migrates, too
        assert rows == [{"intent_id": "a", "reason": "kept"}]
    assert ran == [1]
    assert warehouse.scalar("SELECT max(version) FROM schema_version") == SCHEMA_VERSION + 1


def test_a_migration_that_fails_changes_nothing(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    put(warehouse, kept("file-io", "a"))

    def breaks(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("ALTER TABLE deduped_pool DROP COLUMN domain")
        raise ValueError("half way")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        patch.setitem(MIGRATIONS, SCHEMA_VERSION + 1, breaks)
        with pytest.raises(ValueError, match="half way"):
            Warehouse(warehouse.path).rows("FROM deduped_pool")
    assert Warehouse(warehouse.path).rows("SELECT intent_id, domain FROM deduped_pool") == [
        {"intent_id": "a", "domain": "file-io"}
    ]


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
def test_values_are_never_read_as_sql(warehouse: Warehouse, text: str) -> None:
    for value in (text, f"'; DROP TABLE deduped_pool; --{text}", f'"{text}" OR 1=1'):
        put(warehouse, kept(value, value))
        found = warehouse.rows("SELECT intent_id, domain FROM deduped_pool WHERE domain = $d", {"d": value})
        assert found == [{"intent_id": value, "domain": value}]


def test_replacing_rows_matches_missing_keys_too(warehouse: Warehouse) -> None:
    for run in ("one", "two"):
        table = pa.table({"intent_id": pa.array([None], pa.string()), "domain": ["file-io"], "run_id": [run]})
        warehouse.replace(Replacement("deduped_pool", table, ["intent_id", "domain"]))
    assert warehouse.rows("SELECT intent_id, run_id FROM deduped_pool") == [{"intent_id": None, "run_id": "two"}]


def test_the_snapshot_is_a_whole_copy_and_leaves_no_part_behind(warehouse: Warehouse) -> None:
    put(warehouse, kept("file-io", "a"))
    snapshot = warehouse.publish_snapshot()
    put(warehouse, kept("file-io", "b"))
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        assert connection.execute("SELECT intent_id FROM deduped_pool").fetchall() == [("a",)]
    assert sorted(path.name for path in warehouse.path.parent.iterdir()) == [
        "ise.duckdb",
        "ise.duckdb.lock",
        "ise.duckdb.waiting",
        "ise.snapshot.duckdb",
    ]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match=r"file/ise\.duckdb cannot be opened or written"):
        Warehouse(tmp_path / "file" / "ise.duckdb").rows("SELECT 1")


def test_the_lock_is_free_after_an_error(warehouse: Warehouse) -> None:
    with pytest.raises(duckdb.CatalogException):
        warehouse.write(lambda connection: connection.execute("SELECT * FROM nowhere"))
    put(warehouse, kept("file-io", "a"))
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == 1


def test_a_stream_gives_all_rows_while_others_write(warehouse: Warehouse) -> None:
    put(warehouse, kept("file-io", *(f"{number:04}" for number in range(2_500))))
    found = []
    query = "SELECT intent_id FROM deduped_pool WHERE domain = $domain ORDER BY hash(intent_id)"
    for number, row in enumerate(warehouse.stream(query, {"domain": "file-io"}, page=100, order="intent_id")):
        if number == 150:
            put(warehouse, kept("multimedia", "later"))  # no connection is held
        found.append(row["intent_id"])
    assert found == [f"{number:04}" for number in range(2_500)]
    assert {path.suffix for path in warehouse.path.parent.iterdir()} == {".duckdb", ".lock", ".waiting"}
    unordered = [row["intent_id"] for row in warehouse.stream(query, {"domain": "file-io"}, page=7)]
    assert unordered != found
    assert sorted(unordered) == found


def test_several_answers_come_over_one_connection(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    put(warehouse, kept("file-io", "a", "b"))
    warehouse.rows("SELECT 1")
    opened: list[bool] = []
    original = file.FileStore._open

    def counted(self: file.FileStore, path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
        opened.append(read_only)
        return original(self, path, read_only)

    monkeypatch.setattr(file.FileStore, "_open", counted)
    found = warehouse.answers({"n": "SELECT count(*) AS n FROM deduped_pool", "one": "SELECT 1 AS one"})
    assert found == {"n": [{"n": 2}], "one": [{"one": 1}]}
    assert opened == [True]
