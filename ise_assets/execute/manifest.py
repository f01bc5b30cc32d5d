"""The final manifest: what a session left changed in its workspace, so that its replay is compared file by file, too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ise_assets.execute.acceptance import CheckerError
from ise_assets.execute.normalise import normalise
from ise_assets.execute.workspace import Workspace

MOST_FILES = 500
"""Entries of a manifest, the first by path; a session that changes more is compared on these."""

Entry = dict[str, Any]
"""`path`, `change`, `kind`, `size` as in `FileChange`, and `digest`: of a text file's normalised text, else None."""

_DIGESTS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


async def manifest_of(workspace: Workspace) -> list[Entry]:
    """Every file and link that differs from the baseline, by path.

    Raises:
        CheckerError: the workspace gave no proper answer.
    """
    changes = [change for change in await workspace.changes() if change.kind != "dir"][:MOST_FILES]
    digests = await _digests(workspace, [c.path for c in changes if c.kind == "file" and c.change != "deleted"])
    return [{**vars(change), "digest": digests.get(change.path)} for change in changes]


def manifest_differences(live: Sequence[Entry], replayed: Sequence[Entry]) -> list[tuple[str, str, str]]:
    """(path, live, replayed) of each file that is not as it was; where a side has no such file, its text is `unchanged`."""
    here, there = _by_path(live), _by_path(replayed)
    return [
        (path, here.get(path, "unchanged"), there.get(path, "unchanged"))
        for path in sorted(here.keys() | there.keys())
        if here.get(path) != there.get(path)
    ]


def _by_path(manifest: Sequence[Entry]) -> Mapping[str, str]:
    return {normalise(e["path"])[0]: f"{e['change']} {e['kind']} {e['digest'] or ''}".rstrip() for e in manifest}


async def _digests(workspace: Workspace, paths: Sequence[str]) -> dict[str, str]:
    if not paths:
        return {}
    source = (
        f"{_source()}\n\nimport json\nprint(json.dumps(digests(json.loads({json.dumps(list(paths))!r}), normalise)))\n"
    )
    result = await workspace.run_python(source)
    try:
        return _DIGESTS.validate_json(result.stdout)
    except ValidationError as error:
        said = (result.stderr or result.stdout)[-400:]
        raise CheckerError(f"the manifest could not be read: exit {result.exit_code}: {said}") from error


@cache
def _source() -> str:
    here = Path(__file__)
    return "\n".join(here.with_name(name).read_text(encoding="utf-8") for name in ("normalise.py", "digests.py"))
