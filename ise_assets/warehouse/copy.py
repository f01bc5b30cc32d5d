"""A warehouse's tables into another one, of the same kind or not, and the proof that they are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import duckdb

from ise_assets.warehouse import Warehouse
from ise_assets.warehouse.schema import tables
from ise_assets.warehouse.store import WarehouseError

_BATCH = 500
_VERSION = "schema_version"


class Content(NamedTuple):
    """What a table holds, in whatever order: equal tables have equal ones."""

    rows: int
    digest: int
    """Sum of the rows' hashes over all columns in order of their names; DuckDB's hash, so only of use within a version of it."""


def copy_warehouse(
    source: Warehouse, target: Warehouse, progress: Callable[[str, int], None] | None = None
) -> dict[str, Content]:
    """Copies every table of `source` into the empty `target`, all in one transaction of the target; returns what was copied.

    One snapshot of the source is copied; memory is that of a batch of rows. `progress` is called with each table's name and
    the number of its rows.

    Raises:
        WarehouseError: the target holds rows, or what arrived differs from what was sent (nothing is kept then).
    """
    if target.exists() and (full := {name for name, found in contents(target).items() if found.rows} - {_VERSION}):
        raise WarehouseError(f"{target.name} has rows in {', '.join(sorted(full))}; copy into a new warehouse")

    def from_source(reading: duckdb.DuckDBPyConnection) -> dict[str, Content]:
        sent = _contents(reading)

        def into_target(writing: duckdb.DuckDBPyConnection) -> None:
            for name in sorted(sent.keys() - {_VERSION}):
                if progress is not None:
                    progress(name, sent[name].rows)
                _pour(reading, writing, name)
            arrived = _contents(writing)
            if wrong := [name for name in sent if arrived.get(name) != sent[name]]:
                raise WarehouseError(f"{', '.join(wrong)} did not arrive in {target.name} as sent; nothing was kept")

        target.write(into_target)
        return sent

    return source.read(lambda reading: _in_one_snapshot(reading, from_source))


def contents(warehouse: Warehouse) -> dict[str, Content]:
    """What each table holds, by name."""
    return warehouse.read(_contents)


def _in_one_snapshot(
    reading: duckdb.DuckDBPyConnection, fn: Callable[[duckdb.DuckDBPyConnection], dict[str, Content]]
) -> dict[str, Content]:
    reading.execute("BEGIN")
    try:
        return fn(reading)
    finally:
        reading.execute("ROLLBACK")


def _contents(connection: duckdb.DuckDBPyConnection) -> dict[str, Content]:
    found = {}
    for name in tables(connection):
        columns = ", ".join(f'"{column}"' for column in sorted(_columns(connection, name)))
        rows, digest = connection.execute(
            f'SELECT count(*), coalesce(sum(hash({columns})::HUGEINT), 0) FROM "{name}"'
        ).fetchall()[0]
        found[name] = Content(rows, digest)
    return found


def _pour(reading: duckdb.DuckDBPyConnection, writing: duckdb.DuckDBPyConnection, name: str) -> None:
    """All rows of a table, a batch at a time."""
    columns = ", ".join(f'"{column}"' for column in _columns(reading, name))
    batches = reading.execute(f'SELECT {columns} FROM "{name}"').to_arrow_reader(_BATCH)
    writing.register("poured", batches)
    try:
        writing.execute(f'INSERT INTO "{name}" BY NAME SELECT * FROM poured')
    finally:
        writing.unregister("poured")


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    described = connection.execute(f'SELECT * FROM "{name}" LIMIT 0').description
    return [column[0] for column in described or ()]
