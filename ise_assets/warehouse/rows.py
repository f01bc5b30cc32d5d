"""Rows that take the place of others: typed like the table's columns, put there in as few statements as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from ise_assets.warehouse import schema


class Replacement(NamedTuple):
    """Rows for a table, in the place of those that equal one of them in the columns `keys`."""

    table: str
    rows: pa.Table
    keys: Sequence[str]
    instead_of: pa.Table | None = None
    """Keys of what goes, where they are others than those of `rows`: a session without calls still takes the place of its old ones."""

    @classmethod
    def of(cls, table: str, rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> Replacement:
        """`rows` as dictionaries."""
        return cls(table, rows_to_arrow(table, rows), keys)

    @property
    def gone(self) -> pa.Table:
        """The keys of what goes."""
        return (self.rows if self.instead_of is None else self.instead_of).select(list(self.keys))

    @property
    def nbytes(self) -> int:
        """Memory it takes, in bytes."""
        return int(self.rows.nbytes + (0 if self.instead_of is None else self.instead_of.nbytes))


def replace(connection: duckdb.DuckDBPyConnection, replacements: Sequence[Replacement]) -> None:
    """Inside a transaction: one replacement after the other, by the names of the columns."""
    for one in replacements:
        match = " AND ".join(f'target."{key}" IS NOT DISTINCT FROM gone."{key}"' for key in one.keys)
        for name, rows, statement in (
            ("gone", one.gone, f'DELETE FROM "{one.table}" AS target USING gone WHERE {match}'),
            ("incoming", one.rows, f'INSERT INTO "{one.table}" BY NAME SELECT * FROM incoming'),
        ):
            if rows.num_rows == 0:
                continue
            connection.register(name, rows)
            try:
                connection.execute(statement)
            finally:
                connection.unregister(name)


def replace_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table, keys: Sequence[str]) -> int:
    """Inside a transaction: delete the rows of `table` whose `keys` occur in `rows`, then insert `rows`; returns their number."""
    replace(connection, [Replacement(table, rows, keys)])
    return int(rows.num_rows)


def together(writers: Sequence[Sequence[Replacement]]) -> list[Replacement]:
    """What leaves the tables as the `writers` one after the other do; those of a table that do not touch are made one."""
    changes: dict[str, list[Replacement]] = {}
    for change in chain.from_iterable(writers):
        if change.rows.num_rows == change.gone.num_rows == 0:
            continue
        changes.setdefault(change.table, []).append(change)
    return [one for of_table in changes.values() for one in (_as_one(of_table) or of_table)]


@cache
def columns(table: str) -> pa.Schema:
    """The columns of a table as Arrow has them.

    Raises:
        KeyError: there is no such table.
    """
    return _columns()[table]


def rows_to_arrow(table: str, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """`rows` as an Arrow table typed like the columns of `table` that they have."""
    types = columns(table)
    if not rows:
        return types.empty_table()
    return pa.Table.from_pylist([dict(row) for row in rows], schema=pa.schema([types.field(name) for name in rows[0]]))


def _as_one(changes: Sequence[Replacement]) -> list[Replacement] | None:
    """The changes of one table as one; None where their order may matter."""
    first = changes[0]
    alike = all(
        list(change.keys) == list(first.keys) and change.rows.schema.equals(first.rows.schema) for change in changes
    )
    keys = list(first.keys)
    if len(changes) == 1 or not alike or not all(_compared_alike(first, key) for key in keys):
        return None
    touched = pa.concat_tables(
        rows.select(keys).append_column("", pa.array([number] * rows.num_rows, pa.int32()))
        for number, change in enumerate(changes)
        for rows in (change.rows, change.gone)
    )
    by = touched.group_by(keys, use_threads=False).aggregate([("", "min"), ("", "max")])
    if by["_min"] != by["_max"]:
        return None
    gone = None if all(change.instead_of is None for change in changes) else pa.concat_tables(c.gone for c in changes)
    return [Replacement(first.table, pa.concat_tables(change.rows for change in changes), keys, gone)]


def _compared_alike(change: Replacement, key: str) -> bool:
    """Whether DuckDB and Arrow call the same values of this column equal: no cast in between, no floating point, no zones."""
    kind = change.gone.schema.field(key).type
    plain = pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    return bool(plain) and change.table in _columns() and kind == columns(change.table).field(key).type


@cache
def _columns() -> dict[str, pa.Schema]:
    with duckdb.connect() as connection:
        schema.migrate(connection, "memory")
        return {
            table: connection.execute(f'SELECT * FROM "{table}" LIMIT 0').to_arrow_table().schema
            for table in schema.tables(connection)
        }
