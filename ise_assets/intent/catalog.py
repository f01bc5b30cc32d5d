"""The task catalogue: scenarios as data files, validated on reading, kept in the warehouse by content hash.

A scenario is `domains/<domain>/<name>.yaml`; its Python scripts lie in the folder `<name>/` beside it. A second folder of the
same shape, named by `ISE_CATALOG`, adds scenarios or replaces shipped ones of the same name.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ise_assets.intent.models import DOMAINS, Task
from ise_assets.settings import PACKAGE
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, rows_to_arrow, sql

SHIPPED = PACKAGE / "catalog"
# libyaml's parser where PyYAML was built with it: a tenth of the time
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CatalogError(ValueError):
    """A scenario file is wrong; the message names the file, the key and the reason."""


def load_task(path: Path) -> Task:
    """One scenario.

    Raises:
        CatalogError: naming file, line or key, and reason.
    """
    try:
        body = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise CatalogError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(body, dict):
        raise CatalogError(f"{path}: a scenario is a mapping with name, domain, title, ...")
    scripts_dir = path.with_suffix("")
    scripts = {p.name: p.read_text(encoding="utf-8") for p in sorted(scripts_dir.glob("*.py"))}
    try:
        task = Task.model_validate({**body, "scripts": scripts})
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(str(p) for p in e['loc']) or 'scenario'}: {e['msg']}" for e in error.errors()[:8])
        raise CatalogError(f"{path}: {where}") from error
    if task.name != path.stem or task.domain != path.parent.name:
        raise CatalogError(f"{path}: name and domain must be those of the file: {path.stem}, {path.parent.name}")
    return task


def load_catalog(extra: Path | None = None) -> dict[str, Task]:
    """All scenarios by name, sorted: the shipped ones, then those of `extra` (default: the folder in ISE_CATALOG).

    Raises:
        CatalogError: a file is wrong, or a domain has no scenario.
    """
    if extra is None and os.environ.get("ISE_CATALOG"):
        extra = Path(os.environ["ISE_CATALOG"])
        if not (extra / "domains").is_dir():
            raise CatalogError(f"ISE_CATALOG={extra}: there is no folder {extra / 'domains'}")
    tasks: dict[str, Task] = {}
    for folder in filter(None, (SHIPPED, extra)):
        for path in sorted((folder / "domains").glob("*/*.yaml")):
            task = _loaded(path, _fingerprint(path))
            tasks[task.name] = task
    return dict(sorted(tasks.items()))


@lru_cache(maxsize=4096)
def _loaded(path: Path, fingerprint: tuple[tuple[str, int, int], ...]) -> Task:
    """A scenario is parsed once a process, and again when its files have changed."""
    return load_task(path)


def _fingerprint(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times of change and sizes of a scenario's files."""
    stats = [(file.name, file.stat()) for file in (path, *sorted(path.with_suffix("").glob("*.py")))]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def record_catalog(run: StageRun) -> dict[str, Any]:
    """Write every scenario's current version to `task_catalog`; older versions stay, marked as not current."""
    tasks = load_catalog()
    now = datetime.now(UTC)
    rows = [
        {
            "content_hash": task.content_hash,
            "name": task.name,
            "domain": task.domain,
            "title": task.title,
            "description": task.description,
            "tiers": list(task.tiers),
            "tools": list(task.tools),
            "subgoals": len(task.subgoals),
            "current": True,
            "spec": json.dumps(task.model_dump(mode="json", by_alias=True), ensure_ascii=False),
            "run_id": run.run_id,
            "written_at": now,
        }
        for task in tasks.values()
    ]

    def put(connection: Any) -> None:
        connection.execute(sql("intent/retire_task_catalog"))
        table = rows_to_arrow("task_catalog", rows)
        connection.register("incoming", table)
        connection.execute(sql("intent/merge_task_catalog"))
        connection.execute(sql("intent/revive_task_catalog"))
        connection.unregister("incoming")

    run.warehouse.write(put)
    subgoals = [len(task.subgoals) for task in tasks.values()]
    return {
        "scenarios": len(tasks),
        "by_domain": dict(Counter(task.domain for task in tasks.values())),
        "mean_subgoals": sum(subgoals) / len(subgoals),
        "requires": sorted({program for task in tasks.values() for program in task.requires}),
    }


def tasks_by_hash(warehouse: Warehouse, hashes: Iterable[str]) -> dict[str, Task]:
    """The scenario versions that intents point to.

    Raises:
        CatalogError: a version is not in the warehouse.
    """
    wanted = sorted(set(hashes))
    rows = warehouse.rows(sql("intent/select_tasks_by_hash"), [wanted])
    found = {row["content_hash"]: Task.model_validate_json(row["spec"]) for row in rows}
    if missing := set(wanted) - set(found):
        raise CatalogError(f"task_catalog lacks the versions {', '.join(sorted(missing))}; materialize task_catalog")
    return found


def domain_or_error(name: str) -> str:
    """`name` if it is a domain.

    Raises:
        CatalogError: listing the valid ones.
    """
    if name not in DOMAINS:
        raise CatalogError(f"unknown domain {name!r}; valid: {', '.join(DOMAINS)}")
    return name
