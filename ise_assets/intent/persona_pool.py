"""The persona pool: everybody in any list, once, and the lists that have been read."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from ise_assets.intent.asked import read_asked
from ise_assets.intent.models import REGISTERS, Persona
from ise_assets.intent.personas import (
    SHIPPED_LISTS,
    PersonaList,
    PersonaListError,
    Problem,
    file_content,
    list_files,
    read_persona_list,
    register_of,
)
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, rows_to_arrow, sql

_REPORTED_PROBLEMS = 50
_REPORTED_INDUSTRIES = 60


def pending_lists(folder: Path, warehouse: Warehouse) -> list[tuple[Path, str]]:
    """(path, SHA-256) of the lists in `folder` whose content was never taken in.

    Raises:
        PersonaListError: a file may not be read.
    """
    known = {row["source_sha256"] for row in warehouse.rows(sql("intent/persona_lists_known"))}
    pending = []
    for path in list_files(folder):
        sha256 = file_content(path)[1]
        if sha256 not in known:
            pending.append((path, sha256))
    return pending


def take_in(run: StageRun, only: Sequence[Path] | None = None) -> dict[str, Any]:
    """Read all lists (shipped, watched folder, the files of `only`, imported intents), add the personas that the pool lacks.

    All lists are read before anything is written, and everything is written in one transaction. Of a person in several
    lists the first list wins: shipped before the watched folder, then by file name. The setting
    `shipped_personas_per_list` takes the first so many of each shipped list; taking in the rest later only adds.

    Raises:
        PersonaListError: a list cannot be read or has no good row; the pool is as it was.
    """
    shipped = list_files(SHIPPED_LISTS) if run.settings.shipped_personas else []
    paths = _distinct([*shipped, *list_files(run.settings.personas_dir), *(only or ())])
    lists = []
    for done, path in enumerate(paths, 1):
        lists.append(read_persona_list(path))
        run.progress(done, len(paths), "persona lists")
    lists += [read_asked(path).as_persona_list() for path in list_files(run.settings.intents_dir)]
    _refuse_lists_without_a_good_row(lists)
    stamp = {"run_id": run.run_id, "written_at": datetime.now(UTC)}
    most = run.settings.shipped_personas_per_list or None
    taken = [replace(one, personas=one.personas[:most]) for one in lists[: len(shipped)]] + lists[len(shipped) :]
    people = _pool_rows(taken, stamp)
    files = [
        {
            "persona_list": one.name,
            "source_sha256": one.sha256,
            "rows_good": one.rows_good,
            "rows_bad": one.rows_bad,
            "problems": json.dumps([asdict(problem) for problem in one.problems]),
            **stamp,
        }
        for one in {(one.name, one.sha256): one for one in lists}.values()
    ]
    new_personas, new_lists = run.warehouse.write(
        lambda connection: (
            _merge(connection, "persona_pool", people, "intent/persona_pool_merge"),
            _merge(connection, "persona_lists", files, "intent/persona_lists_merge"),
        )
    )
    return _summary(load_personas(run.warehouse), lists, new_personas, new_lists)


def load_personas(warehouse: Warehouse, ids: Iterable[str] | None = None) -> list[Persona]:
    """The pool's personas sorted by id; with `ids`, those of them that are in the pool."""
    if ids is None:
        rows = warehouse.rows(sql("intent/personas_select"))
    else:
        rows = warehouse.rows(sql("intent/personas_select_by_id"), [sorted(set(ids))])
    return [Persona(**row) for row in rows]


def _distinct(paths: Sequence[Path]) -> list[Path]:
    return list({path.absolute(): path for path in paths}.values())  # not resolved: a link is judged as a link


def _refuse_lists_without_a_good_row(lists: Sequence[PersonaList]) -> None:
    bad = [one for one in lists if not one.personas]
    if not bad:
        return
    lines = [
        f"{p.file}{f', line {p.line}' if p.line else ''}: {p.reason}. Remedy: {p.remedy}."
        for one in bad
        for p in one.problems[:5]
    ]
    names = ", ".join(one.name for one in bad)
    raise PersonaListError(
        f"no good row in {names}; nothing was taken in. Remove or mend the file, then run again.\n" + "\n".join(lines)
    )


def _pool_rows(lists: Sequence[PersonaList], stamp: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for one in lists:
        for persona in one.personas:
            row = {**persona.model_dump(), "expertise": list(persona.expertise), "source_sha256": one.sha256, **stamp}
            rows.setdefault(persona.id, row)
    return list(rows.values())


def _merge(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, Any]], statement: str) -> int:
    connection.register("incoming", rows_to_arrow(table, rows))
    try:
        inserted = connection.execute(sql(statement)).fetchone()
    finally:
        connection.unregister("incoming")
    return int(inserted[0]) if inserted else 0


def _summary(
    personas: Sequence[Persona], lists: Sequence[PersonaList], new_personas: int, new_lists: int
) -> dict[str, Any]:
    problems = [problem for one in lists for problem in one.problems]
    industries = Counter(persona.industry for persona in personas)
    by_industry = dict(industries.most_common(_REPORTED_INDUSTRIES))
    if rest := len(personas) - sum(by_industry.values()):
        by_industry["(all others)"] = rest
    registers = Counter(register_of(persona.communication_style) for persona in personas)
    return {
        "personas": len(personas),
        "new_personas": new_personas,
        "lists": len(lists),
        "new_lists": new_lists,
        "problems": len(problems),
        "problem_report": problem_report(problems),
        "notes": [f"{one.name}: {note}" for one in lists for note in one.notes],
        "industries": len(industries),
        "by_industry": by_industry,
        "by_register": {register: registers[register] for register in REGISTERS},
    }


def problem_report(problems: Sequence[Problem]) -> str:
    """The first 50 problems as a Markdown table; the text that came from a file cannot break out of its cell."""
    if not problems:
        return "No problems."
    rows = ["| file | line | reason | remedy |", "|---|---|---|---|"]
    for problem in problems[:_REPORTED_PROBLEMS]:
        cells = (problem.file, str(problem.line or "-"), problem.reason, problem.remedy)
        rows.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    if len(problems) > _REPORTED_PROBLEMS:
        rows.append(f"\nand {len(problems) - _REPORTED_PROBLEMS} more")
    return "\n".join(rows)


def _cell(text: str) -> str:
    flat = " ".join(text.encode("utf-8", "replace").decode().split())
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", flat[:300])
