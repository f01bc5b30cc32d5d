"""The tables and what brings those of an older version up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import resources
from pathlib import Path

import duckdb

from ise_assets.settings import PROJECT
from ise_assets.warehouse.store import WarehouseTooNew

SCHEMA_VERSION = 4
Migration = Callable[[duckdb.DuckDBPyConnection], None]
MIGRATIONS: dict[int, Migration] = {}
"""What turns the tables of version n - 1 into those of version n, by n; new tables need none."""


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


def migrate(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Bring the tables of the warehouse `name` to `SCHEMA_VERSION`, in the caller's transaction: all of it or nothing."""
    found = version(connection, name)
    if found == SCHEMA_VERSION:
        return
    for number in range(found + 1, SCHEMA_VERSION + 1) if found is not None else ():
        if number in MIGRATIONS:
            MIGRATIONS[number](connection)
    for statement in _statements():
        connection.execute(statement)
    connection.execute("DELETE FROM schema_version")
    connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[None]:
    """One transaction over the tables of the warehouse `name`, brought up to date first; an exception rolls everything back."""
    try:
        connection.execute("BEGIN")
        migrate(connection, name)
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # nothing was begun, or the engine has rolled back already: closing is enough
            connection.execute("ROLLBACK")
        raise


def version(connection: duckdb.DuckDBPyConnection, name: str) -> int | None:
    """The version of the tables, None where there are none.

    Raises:
        WarehouseTooNew: it is one that this program does not know.
    """
    if "schema_version" not in tables(connection):
        return None
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    found: int | None = row[0] if row else None
    if found is not None and found > SCHEMA_VERSION:
        raise WarehouseTooNew(
            f"{name} was written by a newer version of ise_assets (schema {found}; this one knows up to "
            f"{SCHEMA_VERSION}). Nothing was changed. Update ise_assets, or name another warehouse in ISE_WAREHOUSE."
        )
    return found


def tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the tables there are, in order."""
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() "
        "WHERE database_name = current_database() AND schema_name = 'main' ORDER BY table_name"
    ).fetchall()
    return [name for (name,) in found]


def _statements() -> Iterator[str]:
    checkout = PROJECT / "sql" / "schema"
    folder = checkout if checkout.is_dir() else Path(str(resources.files("ise_assets"))) / "sql" / "schema"
    for path in sorted(folder.glob("*.sql")):
        yield path.read_text(encoding="utf-8")


def _add_files_of_a_session(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(sql("migrations/2_files_of_a_session"))


def _add_what_lets_sessions_go_on(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(sql("migrations/3_sessions_that_go_on"))


MIGRATIONS[2] = _add_files_of_a_session
MIGRATIONS[3] = _add_what_lets_sessions_go_on
