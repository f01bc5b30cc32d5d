"""What must hold of the training data beyond the keys: the split rule, verbatim records, files that match the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ise_assets.checks import CheckOutcome
from ise_assets.train.models import SPLITS
from ise_assets.train.split import split_of
from ise_assets.warehouse import Warehouse, sql

_SHOWN = 5


def split_is_by_persona(warehouse: Warehouse, percent: Sequence[int]) -> CheckOutcome:
    """Every record lies in the split that its persona's hash gives, in all domains."""
    rows = warehouse.rows(sql("train/select_split_by_persona"))
    wrong = [r["id"] for r in rows if r["persona_id"] is None or split_of(r["persona_id"], percent) != r["split"]]
    said = f"{len(wrong)} of {len(rows)} records lie in another split than their persona's"
    if wrong:
        said += f" under {tuple(percent)}; materialize sft_split for all domains to move them"
    return CheckOutcome(not wrong, said, {"records": len(rows), "wrong": len(wrong), "examples": wrong[:_SHOWN]})


def records_are_verbatim(warehouse: Warehouse, domain: str) -> CheckOutcome:
    """Messages and tools of every record equal those of its dialogue, byte for byte."""
    changed = [row["id"] for row in warehouse.rows(sql("train/records_not_verbatim"), {"domain": domain})]
    return CheckOutcome(
        not changed,
        f"{len(changed)} records differ from their dialogue",
        {"changed": len(changed), "examples": changed[:_SHOWN]},
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
