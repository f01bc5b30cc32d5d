"""Answers of models on disk, for doing the same sessions again while something else is worked on; off by default.

An answer is found by everything that shaped it: model, address, messages, tools, response format, and the item it was for, so that two
rollouts of an intent never share one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class ResponseCache:
    """A SQLite file that several processes may use at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30.0, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, body TEXT NOT NULL)")

    @staticmethod
    def key(shaped_by: Mapping[str, Any]) -> str:
        """The key of what shapes an answer (JSON values)."""
        return hashlib.sha256(json.dumps(shaped_by, sort_keys=True, ensure_ascii=True).encode()).hexdigest()

    def get(self, key: str) -> dict[str, Any] | None:
        """The body that was put, None where there is none."""
        row = self._connection.execute("SELECT body FROM answers WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, key: str, body: Mapping[str, Any]) -> None:
        """Keep `body` (JSON values)."""
        text = json.dumps(body, ensure_ascii=True)
        self._connection.execute("INSERT OR REPLACE INTO answers (key, body) VALUES (?, ?)", (key, text))

    def close(self) -> None:
        """Close the file; what was put stays."""
        self._connection.close()
