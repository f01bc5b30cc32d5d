"""Writers of one file that wait for their turn, and what each of them wants written: whoever has the turn writes for all.

To open a DuckDB file and to close it again takes longer than a few hundred rows do, so ten writers one after the other spend
their time on that. Here each leaves what it wants written in a folder, then waits for its turn. If somebody before it has
written it too, its turn is over at once; else it writes what it finds there in one transaction.

A ticket is a file under a lock of the kernel that goes with its process, so a ticket that nobody holds is that of a dead
writer, to whom nothing was promised: it is removed, not written. A served ticket is an empty file. If the one whose turn it is
is killed after its commit and before it has emptied the tickets, they are written again, by the same rows.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from ise_assets.warehouse.rows import Replacement

TICKET_BYTES = 16 * 2**20
"""What is larger waits for its turn without a ticket and is written alone."""
TURN_BYTES = 64 * 2**20
"""As much as somebody writes for others in one turn."""
TURN_TICKETS = 100
"""As many others as somebody writes for in one turn."""
_TICKET, _PART = ".ticket", ".part"
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, pa.ArrowException)
"""What a file is passed by for: its writer has gone home, it is another user's or another version's, or no ticket at all."""
_numbers = itertools.count()


class Ticket(NamedTuple):
    """What a writer wants written."""

    handle: BinaryIO | None
    """Its file; None where there was no room or no permission for one: then nobody sees it and its writer writes it."""
    replacements: Sequence[Replacement]

    @property
    def served(self) -> bool:
        """Whether somebody has written it."""
        return self.handle is not None and os.fstat(self.handle.fileno()).st_size == 0

    def serve(self) -> None:
        """Say that it is written."""
        if self.handle is not None:
            os.ftruncate(self.handle.fileno(), 0)


class WaitingRoom:
    """A folder of tickets. Only who has the turn asks for those of others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def ticket(self, replacements: Sequence[Replacement]) -> Iterator[Ticket]:
        """What this writer wants written, seen by the others until the end.

        Raises:
            KeyError: a key is no column of its rows.
        """
        for one in replacements:
            _ = one.gone  # its own writer is told, before others try to write it
        with ExitStack() as stack:
            handle = None
            with suppress(OSError):
                handle = stack.enter_context(self._left(replacements))
            yield Ticket(handle, replacements)

    @contextmanager
    def others(self, own: Ticket) -> Iterator[list[Ticket]]:
        """The tickets of those who wait behind `own`, eldest first, as many as a turn takes; those of the dead are removed."""
        room = TURN_BYTES - sum(one.nbytes for one in own.replacements)
        with ExitStack() as held:
            found: list[Ticket] = []
            for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
                with ExitStack() as looked, suppress(*_UNREADABLE):
                    handle = looked.enter_context(path.open("r+b"))
                    size = os.fstat(handle.fileno()).st_size
                    if own.handle and os.path.sameopenfile(handle.fileno(), own.handle.fileno()):
                        continue
                    if not _abandoned(handle, path) and path.suffix == _TICKET and 0 < size <= room:
                        found.append(Ticket(handle, list(_get(handle))))
                        held.push(looked.pop_all())
                        room -= size
                if len(found) == TURN_TICKETS:
                    break
            yield found

    @contextmanager
    def _left(self, replacements: Sequence[Replacement]) -> Iterator[BinaryIO]:
        path = self.folder / f"{time.time_ns()}-{os.getpid()}-{next(_numbers)}{_TICKET}"
        part = path.with_suffix(_PART)
        with _held(part) as handle:
            try:
                _put(handle, replacements)
                with suppress(FileNotFoundError):  # somebody has emptied the folder: this one writes for itself
                    part.rename(path)
                yield handle
            finally:
                part.unlink(missing_ok=True)
                path.unlink(missing_ok=True)


@contextmanager
def _held(path: Path) -> Iterator[BinaryIO]:
    """A new file that this process alone holds a lock of."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the folder was removed just now
            handle = path.open("xb")
            break
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def _abandoned(handle: BinaryIO, path: Path) -> bool:
    """Whether nobody holds the lock of the open file; it is removed then."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    path.unlink(missing_ok=True)
    return True


def _put(handle: BinaryIO, replacements: Sequence[Replacement]) -> None:
    head = [[one.table, list(one.keys), one.instead_of is not None] for one in replacements]
    handle.write(json.dumps(head).encode() + b"\n")
    for one in replacements:
        for rows in (one.rows, one.instead_of):
            if rows is not None:
                with pa.ipc.new_stream(handle, rows.schema) as stream:
                    stream.write_table(rows)
    handle.flush()


def _get(handle: BinaryIO) -> Iterator[Replacement]:
    for table, keys, apart in json.loads(handle.readline()):
        rows = pa.ipc.open_stream(handle).read_all()
        one = Replacement(table, rows, keys, pa.ipc.open_stream(handle).read_all() if apart else None)
        _ = one.gone
        yield one
