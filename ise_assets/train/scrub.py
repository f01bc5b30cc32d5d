"""Keeps secrets out of records: the values of the process's own secret-looking environment variables.

A workspace never sees the environment, so a hit means a leak; the record is dropped whole, and counted, never patched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_MIN_LENGTH = 8


def environment_secrets(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variable name -> value of what looks like a secret (by its name, 8 characters or more)."""
    environment = os.environ if environment is None else environment
    return {
        name: value.strip()
        for name, value in environment.items()
        if any(part in name.upper() for part in _NAMES) and len(value.strip()) >= _MIN_LENGTH
    }


def leaked(record: Any, secrets: Mapping[str, str]) -> set[str]:
    """Names of the variables whose value occurs anywhere in `record` (JSON-like), escaped in a JSON string or not."""
    if not secrets:
        return set()
    text = "\n".join(_strings(record))
    return {name for name, value in secrets.items() if any(form in text for form in _forms(value))}


def _forms(value: str) -> set[str]:
    """As it is, and as it looks inside the JSON string of a tool call's arguments."""
    return {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
    elif value is not None:
        yield str(value)
