"""Writes docs/configuration.md from the settings: `python docs/make_configuration.py`; a test holds the page to it."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

from ise_assets.settings import Settings

PAGE = Path(__file__).with_name("configuration.md")
GROUPS = (
    ("Places", ("home", "warehouse", "warehouse_data", "view_url")),
    ("Intents", ("seed", "intents_per_persona", "shipped_", "intent_", "max_concurrent_writers", "max_writer_")),
    ("Embeddings, duplicates, diversity", ("embedding_", "duplicate_", "vendi_")),
    (
        "Models",
        ("user_model", "agent_", "model_", "allow_paid", "max_cost", "response_cache", "max_concurrent_model"),
    ),
    ("Sessions", ("rollouts", "max_", "tool_", "web_")),
    ("Workspaces", ("workspace_", "docker_")),
    ("Training records", ("split_", "heldout_", "leak_", "sft_", "benchmarks")),
)
HEAD = """\
# Configuration

Environment variables, or a `.env` file in the working directory. Made from the settings' own descriptions by `docs/make_configuration.py`.

`DAGSTER_HOME` (default `./.dagster`) holds Dagster's history; `ISE_CACHE` (default `~/.cache/ise_assets`) the sentence encoder; `ISE_CATALOG` names a folder with
scenarios of your own.
"""


def page() -> str:
    """The whole page."""
    left = dict(Settings.model_fields)
    parts = [HEAD]
    for title, starts in GROUPS:
        names = [name for start in starts for name in list(left) if name.startswith(start)]
        rows = [_row(name, left.pop(name)) for name in dict.fromkeys(names)]
        parts.append(
            "\n".join([f"## {title}\n", "| variable | values | default | |", "|---|---|---|---|", *rows]) + "\n"
        )
    if left:
        raise SystemExit(f"in no group: {', '.join(left)}")
    return "\n".join(parts)


def _row(name: str, field: Any) -> str:
    default = _default(field.default)
    return f"| `ISE_{name.upper()}` | {_values(field)} | {f'`{default}`' if default else ''} | {field.description} |"


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if value or value == 0 else ""


def _values(field: Any) -> str:
    kind = field.annotation
    if typing.get_origin(kind) is typing.Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(kind))
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    words = {bool: "true, false", int: "whole number", float: "number", str: "text", Path: "path"}
    word = words.get(kind, "list" if typing.get_origin(kind) in (tuple, frozenset, list) else "`NAME=VALUE,...`")
    bounds = {type(limit).__name__: limit for limit in field.metadata}
    signs = (("Ge", "ge", "at least"), ("Gt", "gt", "above"), ("Le", "le", "at most"))
    told = [f"{sign} {getattr(bounds[name], attribute)}" for name, attribute, sign in signs if name in bounds]
    return ", ".join([word, *told])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
