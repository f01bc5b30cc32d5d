"""The journal: paid work written down as each item ends, so that a kill loses only what was in flight.

One SQLite file (WAL, synchronous=FULL) per asset and domain. The warehouse is folded from it in short transactions.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any


class Journal:
    """Finished items by id. Appending the same id again replaces it; one process at a time writes."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self.path, isolation_level=None, timeout=30.0, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL)"
        )

    def append(self, item_id: str, body: dict[str, Any], kind: str = "item") -> None:
        """Write one finished item; it is on disk when this returns."""
        self._connection.execute(
            "INSERT OR REPLACE INTO items (id, kind, body) VALUES (?, ?, ?)",
            (item_id, kind, json.dumps(body, ensure_ascii=True)),
        )

    def ids(self, kind: str = "item") -> set[str]:
        """Ids of what is in the journal."""
        return {row[0] for row in self._connection.execute("SELECT id FROM items WHERE kind = ?", (kind,))}

    def items(self, kind: str = "item") -> Iterator[tuple[str, dict[str, Any]]]:
        """(id, body) of every item, in the order written."""
        for item_id, body in self._connection.execute(
            "SELECT id, body FROM items WHERE kind = ? ORDER BY rowid", (kind,)
        ):
            yield item_id, json.loads(body)

    def forget(self, ids: Iterable[str]) -> None:
        """Drop items that are safe in the warehouse."""
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany("DELETE FROM items WHERE id = ?", [(item,) for item in ids])

    def close(self) -> None:
        """Close the file; what was appended stays."""
        self._connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
