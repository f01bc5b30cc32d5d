"""What the terminal shows at the end: rows per asset and domain, and how the checks went."""

from __future__ import annotations

from collections import Counter

import dagster as dg

from ise_assets.defs import checks as check_definitions
from ise_assets.defs.partitions import domains
from ise_assets.warehouse import Warehouse, sql


def row_counts(warehouse: Warehouse) -> dict[tuple[str, str], int]:
    """Rows by (table, domain)."""
    return {(row["table"], row["domain"]): row["n"] for row in warehouse.rows(sql("reports/rows_by_domain"))}


def check_counts() -> dict[str, tuple[int, int]]:
    """By domain: checks whose last execution passed, and checks that have run."""
    instance = dg.DagsterInstance.get()
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for definition in vars(check_definitions).values():
        if not isinstance(definition, dg.AssetChecksDefinition):
            continue
        for key in definition.check_keys:
            seen: set[str] = set()
            for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=500):
                partition = record.partition
                if partition is None or partition in seen or record.status.value not in ("SUCCEEDED", "FAILED"):
                    continue
                seen.add(partition)
                total[partition] += 1
                passed[partition] += record.status.value == "SUCCEEDED"
    return {name: (passed[name], total[name]) for name in domains.get_partition_keys()}
