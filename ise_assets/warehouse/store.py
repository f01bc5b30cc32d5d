"""What a place that keeps the tables has to offer, and how it fails."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import duckdb

PATIENCE_S = 60.0
"""Seconds a reader or writer waits for others, and for a catalog server that is away, before it gives up."""


class WarehouseError(RuntimeError):
    """The warehouse cannot be read or written; the message names the place, the reason and what to do."""


class WarehouseBusy(WarehouseError):
    """Another process kept the warehouse for writing longer than we wait."""


class WarehouseTooNew(WarehouseError):
    """The tables were written by a newer version of this program, which this one does not understand."""


class Store(Protocol):
    """A place that keeps the tables: a DuckDB file, or a DuckLake whose catalog is in PostgreSQL."""

    name: str
    """What messages call it; never a secret."""
    scratch: Path
    """A folder of this machine for temporary files."""

    def exists(self) -> bool:
        """Whether somebody has written to it."""

    def writing(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection for one transaction, while nobody else anywhere writes; what was missing has been made."""

    def reading(self, memory: str | None = None) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection that cannot write; `memory` bounds DuckDB's buffers (`512MB`)."""

    def transient(self, error: duckdb.Error) -> bool:
        """Whether the same transaction, begun anew, may well succeed."""

    def trouble(self, error: Exception) -> WarehouseError:
        """`error` in words for people: the place, the reason, what to do."""
