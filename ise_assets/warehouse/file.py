"""The warehouse as one DuckDB file, for one machine.

While one process has a DuckDB file open for writing no other can open it, so nobody keeps it open: a writer takes a file
lock, opens, and closes when its transaction is done, in which it may have written what others wait to write (waiting.py); a
reader opens read-only and tries again while a writer is at work.
"""

from __future__ import annotations

import fcntl
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from ise_assets.warehouse.rows import Replacement, replace, together
from ise_assets.warehouse.schema import migrate, transaction
from ise_assets.warehouse.store import PATIENCE_S, WarehouseBusy, WarehouseError
from ise_assets.warehouse.waiting import Ticket, WaitingRoom

_CONFIG: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": "v1.5.0"}

_BUSY = re.compile("set lock on file|already attached")
"""Another process has the file open; or another thread of this one, which a ConnectionException says, too."""
_LOOKING_S = 0.5
"""Seconds a writer looks for its turn, or for what it wants to be written by another, before it queues for the lock."""


class FileStore:
    """A DuckDB file that many processes of one machine share, none of them for long."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self.scratch = path.parent
        self._lock_path = path.with_name(path.name + ".lock")
        self._room = WaitingRoom(path.with_name(path.name + ".waiting"))

    def exists(self) -> bool:
        """Whether the file is there and not empty."""
        return self.path.exists() and self.path.stat().st_size > 0

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Lock, make the file if it is missing, open; closed and unlocked at the end."""
        with self.locked(), self._opened() as connection:
            yield connection

    def replace(self, replacements: Sequence[Replacement]) -> None:
        """Write them, and what others wait to write, in one transaction; or find that somebody else has written them."""
        try:
            with self._room.ticket(replacements) as own, self.locked(lambda: own.served) as turn:
                if turn:
                    self._serve(own)
        except OSError as error:
            raise self.trouble(error) from error

    @contextmanager
    def reading(self, memory: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open read-only."""
        connection = self._open(self.path, read_only=True)
        try:
            if memory is not None:
                connection.execute(f"SET memory_limit = '{memory}'")
            yield connection
        finally:
            connection.close()

    def transient(self, error: duckdb.Error) -> bool:
        """Never: opening has waited already, and nobody else writes meanwhile."""
        return False

    def trouble(self, error: Exception) -> WarehouseError:
        """What went wrong with the file, and what to see to."""
        return WarehouseError(
            f"{self.path} cannot be opened or written: {error}. See that the disk has room, that the file is a DuckDB "
            "warehouse and that this user may write to its folder; what was written before is kept."
        )

    @contextmanager
    def locked(self, served: Callable[[], bool] | None = None) -> Iterator[bool]:
        """Alone among all writers of this machine; not locked, and False, if it is `served` before its turn has come."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = self._lock_path.open("a")
        except OSError as error:
            raise self.trouble(error) from error
        with handle:  # closing it frees the lock
            yield _take_turn(handle, served)

    def fold_log(self) -> None:
        """Take in the write-ahead log that a killed writer left behind; the caller holds the lock."""
        self._open(self.path, read_only=False).close()

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self.exists():
            self._create()
        connection = self._open(self.path, read_only=False)
        try:
            yield connection
        finally:
            connection.close()

    def _serve(self, own: Ticket) -> None:
        with self._room.others(own) as others, self._opened() as connection:

            def write(tickets: Sequence[Ticket]) -> None:
                with transaction(connection, self.name):
                    replace(connection, together([ticket.replacements for ticket in tickets]))
                for ticket in tickets:
                    ticket.serve()

            try:
                write([*others, own])
            except (duckdb.Error, pa.ArrowException, LookupError, TypeError, ValueError):
                if not others:
                    raise
                write([own])  # its writer will find out what it is in the others that cannot be written

    def _create(self) -> None:
        """Make the file with its tables under another name first: DuckDB refuses one whose making was cut short."""
        for left in self.path.parent.glob(f"{self.path.name}.part*"):
            left.unlink()
        part = self.path.with_name(f"{self.path.name}.part")
        connection = self._open(part, read_only=False)
        try:
            migrate(connection, self.name)
        except (duckdb.IOException, duckdb.FatalException) as error:
            raise self.trouble(error) from error
        finally:
            connection.close()
        part.replace(self.path)

    def _open(self, path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return duckdb.connect(str(path), read_only=read_only, config={} if read_only else _CONFIG)
            except (duckdb.IOException, duckdb.ConnectionException, duckdb.BinderException) as error:
                if not _BUSY.search(str(error)) and not isinstance(error, duckdb.ConnectionException):
                    raise self.trouble(error) from error
                if time.monotonic() > deadline:
                    raise WarehouseBusy(
                        f"{path} could not be opened for {PATIENCE_S:.0f} s: {error}. "
                        "Close other programs that have it open (DuckDB CLI, notebooks), or read the published "
                        f"snapshot {path.stem}.snapshot{path.suffix} instead."
                    ) from error
                time.sleep(random.uniform(0.005, 0.05))


def _take_turn(handle: IO[str], served: Callable[[], bool] | None) -> bool:
    """Lock the open file; False if it is `served` first, which is looked for at short intervals, and no longer than for `_LOOKING_S`."""
    until = time.monotonic() + (_LOOKING_S if served else 0)
    while time.monotonic() < until:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        if served and served():
            return False
        time.sleep(random.uniform(0.002, 0.008))
    else:
        fcntl.flock(handle, fcntl.LOCK_EX)
    return not (served and served())
