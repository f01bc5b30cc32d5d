"""The warehouse as a lake on a real PostgreSQL: what the file promises holds there, too, and it outlives the server's death."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from ise_assets.settings import PROJECT, Settings
from ise_assets.warehouse import Warehouse, WarehouseError, WarehouseTooNew, replace_rows, rows_to_arrow, store
from ise_assets.warehouse import lake as room
from ise_assets.warehouse.copy import contents, copy_warehouse
from ise_assets.warehouse.lake import hidden
from ise_assets.warehouse.schema import SCHEMA_VERSION
from ise_assets_tests.pipeline import Home, warm
from ise_assets_tests.postgres import Postgres
from ise_assets_tests.test_kill import COMMAND, tables
from ise_assets_tests.test_warehouse import kept, put, stamp

SPAWN = multiprocessing.get_context("spawn")
WRITERS, OVERWRITES = 6, 3


@pytest.fixture
def where(postgres: Postgres) -> str:
    return f"ducklake:postgres:{postgres.database()}"


@pytest.fixture
def lake(where: str, tmp_path: Path) -> Warehouse:
    return Warehouse(where, tmp_path / "lake", tmp_path)


def overwrite_partition(where: str, data: str, number: int) -> None:
    for generation in range(OVERWRITES):
        rows = kept(f"domain-{number}", *(f"{number}-{item}" for item in range(50)), run_id=f"generation {generation}")
        put(Warehouse(where, Path(data)), rows)


def test_processes_overwrite_their_partitions_and_nothing_is_lost_while_readers_read(
    lake: Warehouse, where: str, tmp_path: Path
) -> None:
    arguments = [(where, str(tmp_path / "lake"), number) for number in range(WRITERS)]
    processes = [SPAWN.Process(target=overwrite_partition, args=each) for each in arguments]
    for process in processes:
        process.start()
    seen = []
    while any(process.is_alive() for process in processes):
        rows = lake.rows("SELECT domain, count(*) AS n, count(DISTINCT run_id) AS runs FROM deduped_pool GROUP BY ALL")
        seen.append(len(rows))
        assert all((row["n"], row["runs"]) == (50, 1) for row in rows)  # never half a partition
    assert [process.exitcode for process in processes] == [0] * WRITERS
    assert seen == sorted(seen)
    rows = lake.rows(
        "SELECT domain, count(DISTINCT intent_id) AS n, any_value(run_id) AS run FROM deduped_pool GROUP BY 1"
    )
    assert len(rows) == WRITERS
    assert {(row["n"], row["run"]) for row in rows} == {(50, f"generation {OVERWRITES - 1}")}


_KILLED = """
import os, signal, sys
from pathlib import Path
from ise_assets.warehouse import replace_rows, rows_to_arrow
from ise_assets_tests.test_warehouse import *
def fn(connection):
    connection.execute("DELETE FROM deduped_pool")
    rows = kept("file-io", *(f"new-{n}" for n in range(5000)))
    replace_rows(connection, "deduped_pool", rows_to_arrow("deduped_pool", rows), ("intent_id",))
    if sys.argv[3] == "inside":
        os.kill(os.getpid(), signal.SIGKILL)
Warehouse(sys.argv[1], Path(sys.argv[2])).write(fn)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("moment", "rows"), [("inside", 2), ("after", 5000)])
def test_a_killed_writer_leaves_all_of_its_transaction_or_nothing(
    lake: Warehouse, where: str, tmp_path: Path, moment: str, rows: int
) -> None:
    put(lake, kept("file-io", "a", "b"))
    command = [sys.executable, "-c", _KILLED, where, str(tmp_path / "lake"), moment]
    assert subprocess.run(command, cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    assert lake.scalar("SELECT count(*) FROM deduped_pool") == rows
    put(lake, kept("file-io", "c"))  # and its turn went with it
    assert lake.scalar("SELECT count(*) FROM deduped_pool") == rows + 1


def test_a_writer_sees_what_was_written_before_its_turn(lake: Warehouse) -> None:
    """Two that count before they add would give one number twice if they did not take turns."""
    lake.write(lambda connection: None)

    def add() -> None:
        def fn(connection: duckdb.DuckDBPyConnection) -> None:
            found = connection.execute("SELECT count(*) FROM deduped_pool").fetchone()
            assert found
            rows = rows_to_arrow("deduped_pool", kept("file-io", str(found[0])))
            replace_rows(connection, "deduped_pool", rows, ("intent_id",))

        lake.write(fn)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lake.rows("SELECT intent_id FROM deduped_pool ORDER BY 1") == [{"intent_id": str(n)} for n in range(8)]


def test_an_exception_rolls_everything_back(lake: Warehouse) -> None:
    put(lake, kept("file-io", "a"))

    def fails(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("DELETE FROM deduped_pool")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.write(fails)
    assert lake.scalar("SELECT count(*) FROM deduped_pool") == 1
    with pytest.raises(duckdb.CatalogException):
        lake.write(lambda connection: connection.execute("SELECT * FROM nowhere"))
    put(lake, kept("file-io", "b"))
    assert lake.scalar("SELECT count(*) FROM deduped_pool") == 2


def test_a_reader_cannot_write(lake: Warehouse) -> None:
    put(lake, kept("file-io", "a"))
    with pytest.raises(duckdb.Error, match="read-only"):
        lake.rows("DELETE FROM deduped_pool")


def test_a_lake_of_a_newer_version_is_refused(lake: Warehouse, where: str, tmp_path: Path) -> None:
    put(lake, kept("file-io", "a"))
    lake.write(stamp(SCHEMA_VERSION + 1))
    with pytest.raises(WarehouseTooNew, match="Update ise_assets"):
        Warehouse(where, tmp_path / "lake").rows("FROM deduped_pool")


def test_a_server_that_dies_in_the_middle_is_waited_for(lake: Warehouse, postgres: Postgres) -> None:
    put(lake, kept("file-io", "a"))
    began = []

    def fn(connection: duckdb.DuckDBPyConnection) -> None:
        began.append(1)
        rows = rows_to_arrow("deduped_pool", kept("file-io", "b"))
        replace_rows(connection, "deduped_pool", rows, ("intent_id",))
        if len(began) == 1:
            postgres.kill()
            threading.Timer(1, postgres.start).start()

    lake.write(fn)
    assert len(began) == 2
    assert lake.rows("SELECT intent_id FROM deduped_pool ORDER BY 1") == [{"intent_id": "a"}, {"intent_id": "b"}]


def test_a_server_that_stays_away_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ise_assets.warehouse.PATIENCE_S", 0.2)
    gone = Warehouse(
        f"ducklake:postgres:host={tmp_path} dbname=x user=y password='geh eim'", tmp_path / "lake", tmp_path
    )
    for use in (lambda: gone.rows("SELECT 1"), lambda: gone.write(lambda connection: None), gone.exists):
        with pytest.raises(WarehouseError, match="See that PostgreSQL runs") as caught:
            use()
        assert str(tmp_path) in str(caught.value) and "eim" not in str(caught.value)


def test_a_database_that_is_not_there_is_told_at_once(postgres: Postgres, tmp_path: Path) -> None:
    began = time.monotonic()
    lake = Warehouse(f"ducklake:postgres:host={postgres.folder} dbname=nowhere user=ise", tmp_path / "lake")
    with pytest.raises(WarehouseError, match='"nowhere" does not exist'):
        lake.rows("SELECT 1")
    assert time.monotonic() - began < 10


def test_another_writer_is_waited_for_and_then_told(
    lake: Warehouse, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE_S", 0.3)

    def fn(connection: duckdb.DuckDBPyConnection) -> None:
        with pytest.raises(store.WarehouseBusy, match="pg_locks"):
            put(Warehouse(where, tmp_path / "lake"), kept("file-io", "b"))

    lake.write(fn)


def test_other_catalogs_are_refused_with_an_example() -> None:
    for wrong in ("ducklake:", "ducklake:sqlite:x.sqlite", "ducklake:postgres:"):
        with pytest.raises(WarehouseError, match=r"ducklake:postgres:host=db"):
            Warehouse(wrong)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres:host=a password=x1 user=u", "postgres:host=a password=*** user=u"),
        ("password = 'a b\\'c' dbname=d", "password = *** dbname=d"),
        ("postgresql://me:s3cret@host/db", "postgresql://me:***@host/db"),
        ("host=a dbname=d", "host=a dbname=d"),
    ],
)
def test_passwords_are_hidden(text: str, shown: str) -> None:
    assert hidden(text) == shown


def test_a_stream_gives_all_rows_while_others_write(lake: Warehouse) -> None:
    put(lake, kept("file-io", *(f"{number:04}" for number in range(700))))
    found = []
    for number, row in enumerate(lake.stream("SELECT intent_id FROM deduped_pool", page=100, order="intent_id")):
        if number == 150:
            put(lake, kept("multimedia", "later"))  # no connection is held
        found.append(row["intent_id"])
    assert found == [f"{number:04}" for number in range(700)]


def test_a_copy_to_the_lake_and_back_is_the_same(lake: Warehouse, tmp_path: Path) -> None:
    first = Warehouse(tmp_path / "first.duckdb")
    put(first, kept("file-io", *(str(number) for number in range(1_200))))
    put(first, kept("multimedia", "ü \N{SNOWMAN} '; --", None))  # type: ignore[arg-type]
    copied = copy_warehouse(first, lake)
    assert copied["deduped_pool"].rows == 1_202
    back = Warehouse(tmp_path / "back.duckdb")
    assert copy_warehouse(lake, back) == copied == contents(lake) == contents(back) == contents(first)
    with pytest.raises(WarehouseError, match="has rows in deduped_pool"):
        copy_warehouse(first, back)


def test_a_copy_that_arrives_changed_is_not_kept(
    lake: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, kept("file-io", "a", "b"))

    def half(reading: duckdb.DuckDBPyConnection, writing: duckdb.DuckDBPyConnection, name: str) -> None:
        if name == "deduped_pool":
            rows = rows_to_arrow(name, kept("file-io", "a"))
            replace_rows(writing, name, rows, ("intent_id",))

    monkeypatch.setattr("ise_assets.warehouse.copy._pour", half)
    target = Warehouse(tmp_path / "target.duckdb")
    with pytest.raises(WarehouseError, match="deduped_pool did not arrive"):
        copy_warehouse(lake, target)
    assert target.scalar("SELECT count(*) FROM deduped_pool") == 0


def test_the_snapshot_of_a_lake_is_a_file_for_notebooks(lake: Warehouse, tmp_path: Path) -> None:
    put(lake, kept("file-io", "a"))
    for _ in range(2):
        snapshot = lake.publish_snapshot()
        assert snapshot == tmp_path / "ise.snapshot.duckdb"
        with duckdb.connect(str(snapshot), read_only=True) as connection:
            assert connection.execute("SELECT intent_id FROM deduped_pool").fetchall() == [("a",)]
    assert {path.name for path in tmp_path.iterdir()} == {"ise.snapshot.duckdb", "lake"}


def test_tidying_leaves_the_rows_and_takes_the_files_nobody_needs(lake: Warehouse, tmp_path: Path) -> None:
    for generation in range(12):
        put(lake, kept("file-io", *(str(number) for number in range(20)), run_id=f"generation {generation}"))
    folder = tmp_path / "lake"
    (folder / "main" / "deduped_pool" / "orphan.parquet").write_bytes(b"left by a writer that was killed")
    before, files = contents(lake), len(list(folder.rglob("*.parquet")))
    kept_all = lake.tidy(timedelta(days=1))
    assert kept_all is not None and (kept_all.snapshots, kept_all.deleted) == (0, 0)
    first, second = (
        lake.tidy(timedelta(0)),
        lake.tidy(timedelta(0)),
    )  # what the first took out of use the second deletes
    assert first is not None and first.snapshots >= 12 and first.deleted == 1  # the orphan
    assert second is not None and second.deleted >= 11
    assert contents(lake) == before
    assert len(list(folder.rglob("*.parquet"))) < files / 3
    put(lake, kept("multimedia", "later"))
    assert lake.scalar("SELECT count(*) FROM deduped_pool") == 21
    assert Warehouse(tmp_path / "file.duckdb").tidy(timedelta(0)) is None


def test_settings_name_the_lake(where: str, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, warehouse=where)  # type: ignore[call-arg]
    put(Warehouse.of(settings), kept("file-io", "a"))
    assert list((tmp_path / "lake").rglob("*.parquet"))
    assert settings.places()["ISE_WAREHOUSE"] == where


def test_the_pipeline_makes_the_same_of_a_lake_as_of_a_file(where: str, tmp_path: Path) -> None:
    six = {"ISE_INTENTS_PER_PERSONA": "6"}
    file = Home(tmp_path / "file", six)
    on_lake = Home(tmp_path / "lake", {**six, "ISE_WAREHOUSE": where})
    with warm() as start:
        for home in (file, on_lake):
            home.write_personas(4)
        runs = [start(home, COMMAND) for home in (file, on_lake)]
        for run in runs:
            assert run.wait() == 0, run.output
    lake = Warehouse(where, on_lake.data / "lake", tmp_path)
    expected, found = tables(Warehouse(file.warehouse)), tables(lake)
    for table, rows in expected.items():
        assert found[table] == rows, table
    records = len(expected["sft_split"])
    assert records >= 2
    assert not on_lake.warehouse.exists()
    with duckdb.connect(str(on_lake.data / "ise.snapshot.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM sft_split").fetchone() == (records,)
