"""What must hold of the training data beyond the keys: the split rule, verbatim records, files that match the table."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from ise_assets.checks import CheckOutcome
from ise_assets.settings import Settings
from ise_assets.train.decontaminate import BenchmarkError, load_benchmarks
from ise_assets.train.models import SPLITS
from ise_assets.train.scrub import Machine, Scrubber, differs_beside_redactions
from ise_assets.train.selection import is_held_out, place
from ise_assets.warehouse import Warehouse, sql

_SHOWN = 5
_SAMPLE = 50


def split_is_by_rule(warehouse: Warehouse, settings: Settings) -> CheckOutcome:
    """Every record lies where its persona's hash and its scenarios' put it, in all domains."""
    rows = warehouse.rows(sql("train/select_split_by_persona"))
    wrong = [
        r["id"] for r in rows if r["persona_id"] is None or place(r["persona_id"], r["tasks"], settings) != r["split"]
    ]
    said = f"{len(wrong)} of {len(rows)} records lie in another split than the rule gives"
    if wrong:
        said += (
            f" under {settings.split_percent} and {settings.heldout_scenario_percent} % of scenarios held out; "
            "materialize sft_split for all domains to move them"
        )
    return CheckOutcome(not wrong, said, {"records": len(rows), "wrong": len(wrong), "examples": wrong[:_SHOWN]})


def nothing_leaks_across(warehouse: Warehouse, settings: Settings) -> CheckOutcome:
    """No scenario instance of another split's records, and no scenario that is held out, is in train, in all domains."""
    names = [row["task"] for row in warehouse.rows(sql("train/select_scenario_names"))]
    held_out = [name for name in names if is_held_out(name, settings.heldout_scenario_percent)]
    row = warehouse.rows(sql("checks/leaks_across_splits"), {"held_out": held_out})[0]
    leaks = row["instances"] + row["scenarios"]
    return CheckOutcome(
        leaks == 0,
        f"{row['instances']} train records share a scenario's parameters with another split, "
        f"{row['scenarios']} have a held-out scenario",
        row,
    )


def records_are_verbatim(warehouse: Warehouse, domain: str) -> CheckOutcome:
    """Messages and tools of every record equal those of its dialogue, byte for byte, but for recorded redactions."""
    changed = [row["id"] for row in warehouse.rows(sql("train/records_not_verbatim"), {"domain": domain})]
    redacted = 0
    for row in warehouse.stream(sql("train/select_redacted"), {"domain": domain}):
        redacted += 1
        before, after = json.loads(row["before"] or "[]"), json.loads(row["after"])
        if differs_beside_redactions(before, after, json.loads(row["redactions"])):
            changed.append(row["id"])
    return CheckOutcome(
        not changed,
        f"{len(changed)} records differ from their dialogue beside what was redacted; {redacted} have redactions",
        {"changed": len(changed), "redacted": redacted, "examples": changed[:_SHOWN]},
    )


def decontaminated(warehouse: Warehouse, settings: Settings, domain: str) -> CheckOutcome:
    """Nothing of the benchmarks that the settings name stands in the domain's records; they are searched anew."""
    if not settings.benchmark_paths:
        return CheckOutcome(True, "ISE_BENCHMARKS names no benchmark, so none was looked for", {"benchmarks": 0})
    try:
        benchmarks = load_benchmarks(settings.benchmark_paths)
    except BenchmarkError as error:
        return CheckOutcome(False, str(error), {})
    found, records = [], 0
    for row in warehouse.stream(sql("train/select_messages"), {"domain": domain}):
        records += 1
        if hits := benchmarks.search(json.loads(row["messages"])):
            found.append({"id": row["id"], "item": hits[0].item, "rule": hits[0].rule})
    return CheckOutcome(
        not found,
        f"{len(found)} of {records} records hold something of {benchmarks.tasks} benchmark tasks",
        {"records": records, "contaminated": len(found), "examples": found[:_SHOWN], "items": len(benchmarks.items)},
    )


def nothing_to_scrub(warehouse: Warehouse, settings: Settings, domain: str) -> CheckOutcome:
    """Scrubbing a sample of the domain's records again finds nothing of this machine, and no secret by its form."""
    scrubber = Scrubber(Machine.here(settings))
    found: Counter[str] = Counter()
    rows = warehouse.rows(sql("train/select_message_sample"), {"domain": domain, "n": _SAMPLE})
    for row in rows:
        for kind in scrubber.strict_kinds(json.loads(row["messages"])):
            found[kind] += 1
    return CheckOutcome(
        not found,
        f"{sum(found.values())} findings in {len(rows)} records",
        {"records": len(rows), "found": dict(found)},
    )


def exports_match_table(warehouse: Warehouse, exports_dir: Path) -> CheckOutcome:
    """Every file of the SFT export holds exactly as many records as the table has in that split."""
    import pyarrow.parquet as pq

    expected = {row["split"]: row["records"] for row in warehouse.rows(sql("train/count_splits"))}
    folder = exports_dir / "sft"
    found: dict[str, int | None] = {}
    for split in SPLITS:
        lines, table = folder / f"{split}.jsonl", folder / f"{split}.parquet"
        found[lines.name] = _count_lines(lines) if lines.is_file() else None
        found[table.name] = pq.read_metadata(table).num_rows if table.is_file() else None
    wrong = {name: n for name, n in found.items() if n != expected.get(name.split(".")[0], 0)}
    return CheckOutcome(
        not wrong and (folder / "README.md").is_file(),
        f"{sum(expected.values())} records; files that disagree: {json.dumps(wrong)}"
        if wrong
        else f"{sum(expected.values())} records in {len(found)} files",
        {"expected": expected, "found": found},
    )


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
