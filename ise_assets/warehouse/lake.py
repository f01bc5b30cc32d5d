"""The warehouse as a DuckLake, for several machines: the catalog in PostgreSQL, the rows in Parquet files that all reach.

All writers of all machines take their turn at an advisory lock of the catalog's database, so that a transaction sees all that
came before it (the generations of deduplication count on that) and never meets a conflict; PostgreSQL frees the lock of
a process that dies. Readers see the snapshot of the moment they begin and wait for nobody.
"""

from __future__ import annotations

import itertools
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from importlib import util
from pathlib import Path
from typing import NamedTuple

import duckdb

from ise_assets.warehouse.store import PATIENCE_S, WarehouseBusy, WarehouseError

PREFIX = "ducklake:"
_KIND = "postgres:"
_LOCK = zlib.crc32(b"ise_assets warehouse")
_AWAY = re.compile(
    r"server closed the connection|terminating connection|connection refused|no connection to the server|"
    r"could not connect|unable to connect|connection to server|connection not open|connection has been closed|"
    r"database system is (starting|shutting|in recovery|not yet)|transaction conflict|could not serialize",
    re.IGNORECASE,
)
_SECRET = re.compile(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)|(://[^:/@\s]*:)[^@\s]*(?=@)", re.IGNORECASE)
_FOREVER = re.compile(r"does not exist|authentication failed|no password|role .* is not", re.IGNORECASE)
_numbers = itertools.count()


class Tidied(NamedTuple):
    """What tidying has done."""

    snapshots: int
    """Snapshots forgotten."""
    rewritten: int
    """Files written anew, without rows that were deleted or in place of several small ones."""
    deleted: int
    """Files deleted."""


class LakeStore:
    """A DuckLake by `ducklake:postgres:<libpq connection string>` and the folder of its Parquet files.

    A password is best left to the environment (PGPASSWORD, PGPASSFILE): libpq reads it there.

    Raises:
        WarehouseError: the catalog is none in PostgreSQL.
    """

    def __init__(self, where: str, data: Path, scratch: Path) -> None:
        kind = where.removeprefix(PREFIX)
        if not kind.startswith(_KIND) or not kind.removeprefix(_KIND).strip():
            raise WarehouseError(
                f"ISE_WAREHOUSE: a lake is written ducklake:postgres:<connection string>, like "
                f"'ducklake:postgres:host=db dbname=lake user=ise'; got {hidden(where)!r}"
            )
        self._server = kind.removeprefix(_KIND).strip()
        self._data = data
        self.name = hidden(where)
        self.scratch = scratch

    def exists(self) -> bool:
        """Whether the catalog's database has a lake in it.

        Raises:
            duckdb.Error: the server cannot be reached.
        """
        try:
            with self.reading():
                return True
        except duckdb.InvalidInputException as error:
            if "does not exist" in str(error):
                return False
            raise

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Wait for the turn, attach; the lake is made if it is missing."""
        self._data.mkdir(parents=True, exist_ok=True)
        engine = _engine(os.getpid(), str(self.scratch))
        with _attached(engine, "gate", self._server, "TYPE postgres") as (gate, name):
            gate.execute("BEGIN")
            try:
                self._take_turn(gate, name)
                options = f"DATA_PATH {_quoted(str(self._data))}, DATA_INLINING_ROW_LIMIT 0"
                with _attached(engine, "lake", PREFIX + _KIND + self._server, options) as (connection, lake):
                    connection.execute(f"USE {lake}")
                    yield connection
            finally:
                with suppress(duckdb.Error):  # the server may be gone, and with it the lock
                    gate.execute("ROLLBACK")

    @contextmanager
    def reading(self, memory: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Attach read-only; with `memory` in a DuckDB of its own, since its limit holds for all that share one."""
        engine = _engine(os.getpid(), str(self.scratch)) if memory is None else _new_engine(self.scratch, memory)
        with _attached(engine, "lake", PREFIX + _KIND + self._server, "READ_ONLY") as (connection, lake):
            connection.execute(f"USE {lake}")
            yield connection
        if memory is not None:
            engine.close()

    def tidy(self, keep: timedelta) -> Tidied:
        """Forget snapshots older than `keep`, put small files together, delete files out of use for so long.

        Readers go on meanwhile; one that takes longer than `keep` may lose its files. What is taken out of use now is deleted
        by a later call.

        Raises:
            WarehouseBusy, duckdb.Error: as writing does.
        """
        with self.writing() as connection:
            name, before = connection.execute("SELECT current_database(), now() - $1", [keep]).fetchall()[0]

            def call(function: str, *options: str) -> int:
                values = ", ".join([f"'{name}'", *(f"{option} => $before" for option in options)])
                parameters = {"before": before} if options else None
                return len(connection.execute(f"FROM ducklake_{function}({values})", parameters).fetchall())

            snapshots = call("expire_snapshots", "older_than")
            merged = call("rewrite_data_files") + call("merge_adjacent_files")
            deleted = call("cleanup_old_files", "older_than") + call("delete_orphaned_files", "older_than")
        return Tidied(snapshots, merged, deleted)

    def transient(self, error: duckdb.Error) -> bool:
        """Whether the server was away for a moment (restarted, failed over)."""
        text = str(error)
        return bool(_AWAY.search(text)) and not _FOREVER.search(text)

    def trouble(self, error: Exception) -> WarehouseError:
        """What went wrong with the lake, without its password, and what to see to."""
        return WarehouseError(
            f"{self.name} cannot be reached or written: {hidden(str(error)).strip()}. See that PostgreSQL runs and lets this "
            f"user in, that its database exists, and that {self._data} is the folder the lake was made with and can be "
            "written; what was written before is kept."
        )

    def _take_turn(self, gate: duckdb.DuckDBPyConnection, name: str) -> None:
        settings = (
            f"SET LOCAL lock_timeout = {int(PATIENCE_S * 1000)}; SET LOCAL idle_in_transaction_session_timeout = 0"
        )
        gate.execute(f"CALL postgres_execute('{name}', '{settings}')")
        try:
            gate.execute(f"CALL postgres_execute('{name}', 'SELECT pg_advisory_xact_lock({_LOCK})')")
        except duckdb.Error as error:
            if "lock timeout" not in str(error):
                raise
            raise WarehouseBusy(
                f"{self.name}: another process has been writing for {PATIENCE_S:.0f} s. "
                "`SELECT * FROM pg_locks WHERE locktype = 'advisory'` in its database says which."
            ) from error


def hidden(text: str) -> str:
    """`text` without the passwords of connection strings in it."""
    return _SECRET.sub(lambda match: f"{match[1] or match[3]}***", text)


@contextmanager
def _attached(
    engine: duckdb.DuckDBPyConnection, kind: str, where: str, options: str
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A cursor of the engine and the name under which it has `where`; detached at the end."""
    name = f"{kind}_{next(_numbers)}"
    cursor = engine.cursor()
    try:
        cursor.execute(f"ATTACH {_quoted(where)} AS {name} ({options})")
        try:
            yield cursor, name
        finally:
            _detach(cursor, name)
    finally:
        cursor.close()


def _detach(cursor: duckdb.DuckDBPyConnection, name: str) -> None:
    with suppress(duckdb.Error):  # nothing is begun any more, as a rule
        cursor.execute("ROLLBACK")
    cursor.execute("USE memory")
    with suppress(duckdb.Error):  # the server may be gone; the name is never used again
        cursor.execute(f"DETACH {name}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def _engine(process: int, scratch: str) -> duckdb.DuckDBPyConnection:
    """One DuckDB a process: loading the extensions takes a fifth of a second."""
    return _new_engine(Path(scratch), None)


def _new_engine(scratch: Path, memory: str | None) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(scratch / "duckdb.tmp"),
    }
    if memory is not None:
        config["memory_limit"] = memory
    engine = duckdb.connect(config=config)
    for name in ("ducklake", "postgres_scanner"):
        engine.execute(f"LOAD {_quoted(str(_extension(name)))}")
    return engine


def _extension(name: str) -> Path:
    """The file of a DuckDB extension, from its wheel; DuckDB itself verifies its signature.

    Raises:
        WarehouseError: the wheel is not installed.
    """
    spec = util.find_spec(f"duckdb_extension_{name}")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for path in Path(folder).glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension"):
            return path
    raise WarehouseError(
        f"a lake needs DuckDB's extension {name} for version {duckdb.__version__}; install it: pip install 'ise_assets[lake]'"
    )
