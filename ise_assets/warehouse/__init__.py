"""The warehouse: the pipeline's tables, short transactions one at a time, SQL from `sql/`.

The tables are kept in a DuckDB file (file.py) or, past one machine, in a DuckLake on PostgreSQL (lake.py); the rest of the program
sees no difference. No connection is ever held across a model call or a session.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from ise_assets.settings import Settings
from ise_assets.warehouse import schema
from ise_assets.warehouse.file import FileStore
from ise_assets.warehouse.lake import PREFIX, LakeStore, Tidied
from ise_assets.warehouse.rows import Replacement, replace, replace_rows, rows_to_arrow
from ise_assets.warehouse.schema import sql
from ise_assets.warehouse.store import PATIENCE_S, Store, WarehouseBusy, WarehouseError, WarehouseTooNew
from ise_assets.warehouse.waiting import TICKET_BYTES

__all__ = [
    "Replacement",
    "Warehouse",
    "WarehouseBusy",
    "WarehouseError",
    "WarehouseTooNew",
    "replace_rows",
    "rows_to_arrow",
    "sql",
]

T = TypeVar("T")
STREAM_MEMORY = "512MB"
_BROKEN = (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException)
"""What a place that cannot be read or written is told by; a full disk is any of them."""


class Warehouse:
    """The tables, shared by many processes, none of which keeps them for long.

    `where` is the path of a DuckDB file, or `ducklake:postgres:...` with `data`, the folder of its Parquet files, and
    `scratch`, a folder for temporary files (`data` where none is given).
    """

    def __init__(self, where: Path | str, data: Path | None = None, scratch: Path | None = None) -> None:
        self.store: Store
        if str(where).startswith(PREFIX):
            data = (data or Path("data/lake")).absolute()
            self.store = LakeStore(str(where), data, (scratch or data).absolute())
        else:
            self.store = FileStore(Path(where).absolute())
        self._current = False

    @classmethod
    def of(cls, settings: Settings) -> Warehouse:
        """The warehouse that the settings name."""
        return cls(settings.warehouse or settings.home / "ise.duckdb", settings.lake_data, settings.home)

    @property
    def name(self) -> str:
        """What messages call it: the path of the file, or the lake's address without its password."""
        return self.store.name

    @property
    def path(self) -> Path:
        """The DuckDB file.

        Raises:
            WarehouseError: it is a lake.
        """
        if not isinstance(self.store, FileStore):
            raise WarehouseError(f"{self.name} is no file")
        return self.store.path

    @property
    def scratch(self) -> Path:
        """A folder for temporary files."""
        self.store.scratch.mkdir(parents=True, exist_ok=True)
        return self.store.scratch

    def exists(self) -> bool:
        """Whether anything has been written yet."""
        return self._patiently(self.store.exists)

    def problem(self) -> str | None:
        """Why it cannot be reached at this moment, None where it can; asked once, without patience."""
        try:
            self.store.exists()
        except WarehouseError as error:
            return str(error)
        except (duckdb.Error, OSError) as error:
            return str(self.store.trouble(error))
        return None

    def write(self, fn: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `fn(connection)` in one transaction, alone; an exception rolls everything back.

        Where the catalog server goes away meanwhile `fn` runs again, from the start, when it is back: it must give the
        same when it is run twice.

        Raises:
            WarehouseBusy: another program (a DuckDB CLI, say) kept the warehouse for itself.
            WarehouseTooNew: a newer version of this program has written it; nothing was changed.
            WarehouseError: it is none of DuckDB's, cannot be reached or cannot be written (a full disk, missing permission).
        """

        def once() -> T:
            with self.store.writing() as connection, schema.transaction(connection, self.name):
                return fn(connection)

        return self._patiently(once)

    def replace(self, *replacements: Replacement) -> None:
        """Write the replacements in one transaction; in a file it may be one with those of other writers (see waiting.py).

        Raises:
            WarehouseError: as `write` does.
        """
        store, size = self.store, sum(one.nbytes for one in replacements)
        if isinstance(store, FileStore) and size <= TICKET_BYTES:
            self._patiently(lambda: store.replace(replacements))
        else:
            self.write(lambda connection: replace(connection, replacements))

    def read(self, fn: Callable[[duckdb.DuckDBPyConnection], T], memory: str | None = None) -> T:
        """`fn(connection)` over a connection that cannot write; `memory` bounds DuckDB's buffers.

        Raises:
            WarehouseError: as `write` does.
        """
        self._bring_up_to_date()

        def once() -> T:
            with self.store.reading(memory) as connection:
                return fn(connection)

        return self._patiently(once)

    def table(self, query: str, parameters: Sequence[Any] | dict[str, Any] | None = None) -> pa.Table:
        """The result of a query as an Arrow table; values travel as parameters only."""
        return self.read(lambda connection: connection.execute(query, parameters).to_arrow_table())

    def rows(self, query: str, parameters: Sequence[Any] | dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """The result of a query as a list of dictionaries."""
        rows: list[dict[str, Any]] = self.table(query, parameters).to_pylist()
        return rows

    def answers(self, queries: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
        """The results of several queries by name, asked one after the other over one connection: opening is what costs."""

        def ask(connection: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
            return {name: connection.execute(query).to_arrow_table().to_pylist() for name, query in queries.items()}

        return self.read(ask)

    def stream(
        self,
        query: str,
        parameters: Sequence[Any] | dict[str, Any] | None = None,
        page: int = 100,
        order: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The rows of a query of any size, one scan of the table for all of them.

        They go through a temporary file, so that no connection is held while the caller works;
        memory is that of `page` rows and of DuckDB's own buffers (`STREAM_MEMORY`). With `order` they come in ascending
        order of that column: DuckDB would sort long texts in memory, here only the column is sorted.
        """
        rows = page if order is None else 1
        with tempfile.TemporaryFile(dir=self.scratch) as spool:  # without a name: a killed process leaves none

            def put(connection: duckdb.DuckDBPyConnection) -> list[Any]:
                spool.seek(0)
                spool.truncate()
                keys: list[Any] = []
                connection.execute("SET enable_progress_bar = false")
                reader = connection.execute(query, parameters).to_arrow_reader(page)
                with pa.ipc.new_file(spool, reader.schema) as file:
                    for batch in reader:
                        keys += [] if order is None else batch.column(order).to_pylist()
                        for start in range(0, batch.num_rows, rows):
                            file.write_batch(batch.slice(start, rows))
                return keys

            keys = self.read(put, STREAM_MEMORY)
            spooled = pa.ipc.open_file(spool)
            numbers: Iterable[int] = range(spooled.num_record_batches)
            for number in numbers if order is None else sorted(numbers, key=keys.__getitem__):
                yield from spooled.get_batch(number).to_pylist()

    def scalar(self, query: str, parameters: Sequence[Any] | dict[str, Any] | None = None) -> Any:
        """The first column of the first row, None where there is no row."""
        row = self.read(lambda connection: connection.execute(query, parameters).fetchone())
        return None if row is None else row[0]

    def publish_snapshot(self) -> Path:
        """A copy for notebooks and the DuckDB CLI: `ise.snapshot.duckdb` beside the file; put there whole, by a rename."""
        store = self.store
        if not isinstance(store, FileStore):
            from ise_assets.warehouse.copy import copy_warehouse

            target = self.scratch / "ise.snapshot.duckdb"
            part = target.with_name(target.name + f".{os.getpid()}.part")
            copy_warehouse(self, Warehouse(part))
            part.with_name(part.name + ".lock").unlink()
        else:
            target = store.path.with_name(store.path.stem + ".snapshot" + store.path.suffix)
            part = target.with_name(target.name + f".{os.getpid()}.part")
            with store.locked():
                store.fold_log()
                shutil.copyfile(store.path, part)
        part.replace(target)
        return target

    def tidy(self, keep: timedelta) -> Tidied | None:
        """Free what nobody needs any more (see `LakeStore.tidy`); None for a file, which needs none of it."""
        store = self.store
        return self._patiently(lambda: store.tidy(keep)) if isinstance(store, LakeStore) else None

    def _bring_up_to_date(self) -> None:
        if self._current:
            return

        def found() -> int | None:
            if not self.store.exists():
                return None
            with self.store.reading() as connection:
                return schema.version(connection, self.name)

        if self._patiently(found) != schema.SCHEMA_VERSION:
            self.write(lambda connection: None)
        self._current = True

    def _patiently(self, once: Callable[[], T]) -> T:
        """What `once` gives, again and again while the store is away for a moment."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return once()
            except _BROKEN as error:
                if not self.store.transient(error) or time.monotonic() > deadline:
                    raise self.store.trouble(error) from error
            except duckdb.Error as error:
                if not self.store.transient(error):
                    raise
                if time.monotonic() > deadline:
                    raise self.store.trouble(error) from error
            time.sleep(random.uniform(0.1, 0.5))
