"""The warehouse: one DuckDB file, short transactions under a file lock, SQL from `sql/`.

While one process has a DuckDB file open for writing no other can open it, so nobody keeps it open: `write` is lock, open,
BEGIN, do, COMMIT, close; `read` opens read-only and retries while a writer is at work. No connection is ever held across a
model call or a session.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from ise_assets.settings import PROJECT

T = TypeVar("T")
SCHEMA_VERSION = 3
STREAM_MEMORY = "512MB"
_OPEN_TIMEOUT_S = 60.0
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": "v1.5.0"}


Migration = Callable[[duckdb.DuckDBPyConnection], None]
MIGRATIONS: dict[int, Migration] = {}
"""What turns the tables of version n - 1 into those of version n, by n; new tables need none."""


class WarehouseError(RuntimeError):
    """The warehouse cannot be read or written; the message names the file, the reason and what to do."""


class WarehouseBusy(WarehouseError):
    """Another process kept the warehouse open for writing longer than we wait."""


class WarehouseTooNew(WarehouseError):
    """The file was written by a newer version of this program, which this one does not understand."""


@cache
def sql(name: str) -> str:
    """The text of `sql/<name>.sql`, from the checkout or from the installed wheel.

    Raises:
        FileNotFoundError: there is no such statement.
    """
    checkout = PROJECT / "sql" / f"{name}.sql"
    if checkout.is_file():
        return checkout.read_text(encoding="utf-8")
    return resources.files("ise_assets").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _schema() -> Iterator[str]:
    checkout = PROJECT / "sql" / "schema"
    folder = checkout if checkout.is_dir() else Path(str(resources.files("ise_assets"))) / "sql" / "schema"
    for path in sorted(folder.glob("*.sql")):
        yield path.read_text(encoding="utf-8")


class Warehouse:
    """A DuckDB file that many processes share, none of them for long."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self._lock_path = self.path.with_name(self.path.name + ".lock")
        self._current = False

    def write(self, fn: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `fn(connection)` in one transaction, alone; an exception rolls everything back.

        Raises:
            WarehouseBusy: another program (a DuckDB CLI, say) holds the file open.
            WarehouseTooNew: a newer version of this program has written the file; nothing was changed.
            WarehouseError: the file is none of DuckDB's, or cannot be written (a full disk, missing permission).
        """
        with self._lock():
            if not self._exists():
                self._create()
            connection = self._open(read_only=False)
            try:
                connection.execute("BEGIN")
                _migrate(connection, self.path)
                result = fn(connection)
                connection.execute("COMMIT")
                return result
            except (duckdb.IOException, duckdb.FatalException) as error:
                _rollback(connection)
                raise self._unwritable(error) from error
            except BaseException:
                _rollback(connection)
                raise
            finally:
                connection.close()

    def replace(self, table: str, rows: pa.Table, keys: Sequence[str]) -> int:
        """Delete what has the same `keys` as `rows`, insert `rows` by column name; returns the number inserted."""
        return self.write(lambda connection: replace_rows(connection, table, rows, keys))

    def table(self, query: str, parameters: Sequence[Any] | dict[str, Any] | None = None) -> pa.Table:
        """The result of a query as an Arrow table; values travel as parameters only."""
        connection = self._reader()
        try:
            return connection.execute(query, parameters).to_arrow_table()
        finally:
            connection.close()

    def rows(self, query: str, parameters: Sequence[Any] | dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result of a query as a list of dictionaries."""
        rows: list[dict[str, Any]] = self.table(query, parameters).to_pylist()
        return rows

    def answers(self, queries: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
        """The results of several queries by name, asked one after the other over one connection: opening is what costs."""
        connection = self._reader()
        try:
            return {name: connection.execute(query).to_arrow_table().to_pylist() for name, query in queries.items()}
        finally:
            connection.close()

    def stream(
        self,
        query: str,
        parameters: Sequence[Any] | dict[str, Any] | None = None,
        page: int = 100,
        order: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The rows of a query of any size, one scan of the table for all of them.

        They go through a temporary file beside the warehouse, so that no connection is held while the caller works;
        memory is that of `page` rows and of DuckDB's own buffers (`STREAM_MEMORY`). With `order` they come in ascending
        order of that column: DuckDB would sort long texts in memory, here only the column is sorted.
        """
        connection = self._reader()
        with tempfile.TemporaryFile(dir=self.path.parent) as spool:  # without a name: a killed process leaves none
            rows = page if order is None else 1
            keys: list[Any] = []
            try:
                connection.execute("SET enable_progress_bar = false")
                connection.execute(f"SET memory_limit = '{STREAM_MEMORY}'")
                reader = connection.execute(query, parameters).to_arrow_reader(page)
                with pa.ipc.new_file(spool, reader.schema) as file:
                    for batch in reader:
                        keys += [] if order is None else batch.column(order).to_pylist()
                        for start in range(0, batch.num_rows, rows):
                            file.write_batch(batch.slice(start, rows))
            finally:
                connection.close()
            spooled = pa.ipc.open_file(spool)
            numbers: Iterable[int] = range(spooled.num_record_batches)
            for number in numbers if order is None else sorted(numbers, key=keys.__getitem__):
                yield from spooled.get_batch(number).to_pylist()

    def scalar(self, query: str, parameters: Sequence[Any] | dict[str, Any] | None = None) -> Any:
        """The first column of the first row, None where there is no row."""
        connection = self._reader()
        try:
            row = connection.execute(query, parameters).fetchone()
        finally:
            connection.close()
        return None if row is None else row[0]

    def publish_snapshot(self) -> Path:
        """Copy the warehouse to `<name>.snapshot.duckdb` (copy + rename), for notebooks and the DuckDB CLI."""
        target = self.path.with_name(self.path.stem + ".snapshot" + self.path.suffix)
        part = target.with_name(target.name + f".{os.getpid()}.part")
        with self._lock():
            self._open(read_only=False).close()  # folds a write-ahead log that a killed writer left behind
            shutil.copyfile(self.path, part)
        part.replace(target)
        return target

    def _reader(self) -> duckdb.DuckDBPyConnection:
        if not self._exists():
            self.write(lambda connection: None)
        if not self._current:
            connection = self._open(read_only=True)
            try:
                found = _version(connection, self.path)
            finally:
                connection.close()
            if found != SCHEMA_VERSION:
                self.write(lambda connection: None)
            self._current = True
        return self._open(read_only=True)

    def _exists(self) -> bool:
        return self.path.exists() and self.path.stat().st_size > 0

    def _create(self) -> None:
        """Make the file with its tables under another name first: DuckDB refuses one whose making was cut short."""
        for left in self.path.parent.glob(f"{self.path.name}.part*"):
            left.unlink()
        part = Warehouse(self.path.with_name(f"{self.path.name}.part"))
        connection = part._open(read_only=False)
        try:
            _migrate(connection, self.path)
        except (duckdb.IOException, duckdb.FatalException) as error:
            raise self._unwritable(error) from error
        finally:
            connection.close()
        part.path.replace(self.path)

    def _open(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + _OPEN_TIMEOUT_S
        while True:
            try:
                config = {} if read_only else _CONFIG
                return duckdb.connect(str(self.path), read_only=read_only, config=config)
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                # a ConnectionException: this process has it open for reading, in another thread
                if not isinstance(error, duckdb.ConnectionException) and "set lock on file" not in str(error):
                    raise self._unwritable(error) from error
                if time.monotonic() > deadline:
                    raise WarehouseBusy(
                        f"{self.path} could not be opened for {_OPEN_TIMEOUT_S:.0f} s: {error}. "
                        "Close other programs that have it open (DuckDB CLI, notebooks), or read the published "
                        f"snapshot {self.path.stem}.snapshot{self.path.suffix} instead."
                    ) from error
                time.sleep(random.uniform(0.005, 0.05))

    def _unwritable(self, error: Exception) -> WarehouseError:
        return WarehouseError(
            f"{self.path} cannot be opened or written: {error}. See that the disk has room, that the file is a DuckDB "
            "warehouse and that this user may write to its folder; what was written before is kept."
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = self._lock_path.open("a")
        except OSError as error:
            raise self._unwritable(error) from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)


def replace_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table, keys: Sequence[str]) -> int:
    """Inside a transaction: delete the rows of `table` whose `keys` occur in `rows`, then insert `rows` by name."""
    connection.register("incoming", rows)
    try:
        match = " AND ".join(f'target."{key}" IS NOT DISTINCT FROM incoming."{key}"' for key in keys)
        connection.execute(f'DELETE FROM "{table}" AS target USING incoming WHERE {match}')
        connection.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM incoming')
    finally:
        connection.unregister("incoming")
    return int(rows.num_rows)


def rows_to_arrow(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """`rows` as an Arrow table typed like the columns of `table` that they have."""
    empty = connection.execute(f'SELECT * FROM "{table}" LIMIT 0').to_arrow_table().schema
    if not rows:
        return empty.empty_table()
    names = list(rows[0])
    schema = pa.schema([empty.field(name) for name in names])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def _migrate(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Bring the tables to `SCHEMA_VERSION`, in the caller's transaction: all of it or nothing."""
    found = _version(connection, path)
    if found == SCHEMA_VERSION:
        return
    for version in range(found + 1, SCHEMA_VERSION + 1) if found is not None else ():
        if version in MIGRATIONS:
            MIGRATIONS[version](connection)
    for statement in _schema():
        connection.execute(statement)
    connection.execute("DELETE FROM schema_version")
    connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])


def _add_files_of_a_session(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(sql("migrations/2_files_of_a_session"))


def _add_what_lets_sessions_go_on(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(sql("migrations/3_sessions_that_go_on"))


MIGRATIONS[2] = _add_files_of_a_session
MIGRATIONS[3] = _add_what_lets_sessions_go_on


def _version(connection: duckdb.DuckDBPyConnection, path: Path) -> int | None:
    """The version of the tables, None in a file without any.

    Raises:
        WarehouseTooNew: it is one that this program does not know.
    """
    known = connection.execute(
        "SELECT count(*) FROM information_schema.tables WHERE table_name = 'schema_version'"
    ).fetchone()
    if not known or not known[0]:
        return None
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    version: int | None = row[0] if row else None
    if version is not None and version > SCHEMA_VERSION:
        raise WarehouseTooNew(
            f"{path} was written by a newer version of ise_assets (schema {version}; this one knows up to "
            f"{SCHEMA_VERSION}). Nothing was changed. Update ise_assets, or name another file in ISE_WAREHOUSE."
        )
    return version


def _rollback(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:  # nothing was begun, or the engine has rolled back already: closing is enough
        return
