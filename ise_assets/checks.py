"""What must hold of the tables, as plain functions: each reads the warehouse and says passed or not, and why.

The Dagster checks in `defs/` are thin shells around these. A check with nothing to look at does not pass by being empty
where emptiness is itself wrong (`not_empty`, `accepted_share`, `vendi_floor`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ise_assets.warehouse import Warehouse, sql

_SHOWN = 5


@dataclass(frozen=True)
class CheckOutcome:
    """The answer of one check: a sentence for people, and JSON-able figures behind it."""

    passed: bool
    description: str
    metadata: dict[str, Any] = field(default_factory=dict)


def unique_keys(warehouse: Warehouse, table: str, keys: Sequence[str], domain: str | None = None) -> CheckOutcome:
    """No two rows of `table` (of `domain`, or all of them) share the same `keys`."""
    columns = ", ".join(_quoted(key) for key in keys)
    row = warehouse.rows(*_scoped("checks/unique_keys", domain, table=_quoted(table), keys=f"row({columns})"))[0]
    repeated = int(row["repeated"])
    said = f"{row['total']} rows, {row['keys']} different ({', '.join(keys)})"
    if repeated:
        said += f"; {repeated} occur more than once, for example {row['example']}"
    return CheckOutcome(repeated == 0, said, {"rows": row["total"], "distinct": row["keys"], "repeated": repeated})


def not_empty(warehouse: Warehouse, table: str, domain: str | None = None) -> CheckOutcome:
    """`table` holds at least one row (of `domain`)."""
    rows = int(warehouse.scalar(*_scoped("checks/count_rows", domain, table=_quoted(table))))
    return CheckOutcome(rows > 0, f"{table} has {rows} rows" + (f" for {domain}" if domain else ""), {"rows": rows})


def every_row_taken(warehouse: Warehouse) -> CheckOutcome:
    """Of every persona list, in its newest version, all rows went into the pool; the first one left out is told."""
    lists = warehouse.rows(sql("checks/rows_left_out"))
    if not lists:
        return CheckOutcome(True, "no row of any list was left out")
    problems = [problem for one in lists for problem in json.loads(one["problems"])]
    first = problems[0]
    where = f"{first['file']}, line {first['line']}" if first["line"] else first["file"]
    rows = "1 row was" if len(problems) == 1 else f"{len(problems)} rows were"
    return CheckOutcome(
        False,
        f"{rows} left out, the first: {where}: {first['reason']}. Remedy: {first['remedy']}"[:1000],
        {"left_out": len(problems), "lists": [one["persona_list"] for one in lists], "first": problems[:_SHOWN]},
    )


def accepted_share(warehouse: Warehouse, domain: str, floor: float) -> CheckOutcome:
    """At least the share `floor` (0-1) of the domain's sessions was accepted and reproduced; no session, no pass."""
    row = warehouse.rows(sql("checks/accepted_share"), {"domain": domain})[0]
    share = row["good"] / row["sessions"] if row["sessions"] else 0.0
    return CheckOutcome(
        row["sessions"] > 0 and share >= floor,
        f"{row['good']} of {row['sessions']} sessions accepted and reproduced: {share:.1%}, floor {floor:.1%}",
        {**row, "share": share, "floor": floor},
    )


ISE_MEANS = {"user_turns": 8.12, "dialogue_turns": 68.24, "tool_calls": 29.26, "distinct_tools": 4.69}
"""Means per session of the paper's corpus (arXiv 2606.11520); 91.1 % of its sessions have 6 to 10 user turns."""


def like_ise(warehouse: Warehouse, domain: str, stray: float) -> CheckOutcome:
    """The means of the domain's whole sessions lie within the share `stray` of ISE's; no session, no pass.

    What chance explains (two standard errors) does not count, so that a few sessions are not called strayed, and one never is.
    """
    row = warehouse.rows(sql("checks/session_means"), {"domain": domain})[0]
    if not row["sessions"]:
        return CheckOutcome(False, "no session that ran to its end", row)
    told, far = [], []
    for name, ise in ISE_MEANS.items():
        told.append(f"{name.replace('_', ' ')} {row[name]:.2f} (ISE {ise})")
        error = row[f"{name}_error"]
        if error is not None and abs(row[name] / ise - 1) > stray + 2 * error / ise:
            far.append(name)
    said = f"{row['sessions']} sessions: {', '.join(told)}; {row['six_to_ten']:.1%} with 6 to 10 user turns (ISE 91.1%)"
    if far:
        said += f"; more than {stray:.0%} away: {', '.join(far)}"
    return CheckOutcome(not far, said, {**row, "far": far})


def failures_labelled(warehouse: Warehouse, domain: str) -> CheckOutcome:
    """Every call has an outcome, and none that exited with a non-zero code, live or replayed, is called ok."""
    row = warehouse.rows(sql("checks/failures_labelled"), {"domain": domain})[0]
    return CheckOutcome(
        row["mislabelled"] == 0,
        f"{row['mislabelled']} of {row['calls']} calls carry a wrong or no label; {row['failures']} exited non-zero",
        row,
    )


def no_persona_in_two_splits(warehouse: Warehouse) -> CheckOutcome:
    """Over all domains, every persona's records lie in one of train, validation, test (held-out scenarios apart)."""
    leaks = warehouse.rows(sql("checks/personas_in_two_splits"))
    said = f"{len(leaks)} personas occur in more than one split or are unknown"
    if leaks:
        said += ": if the split percentages were changed, materialize sft_split for all domains"
    return CheckOutcome(not leaks, said, {"personas": len(leaks), "examples": leaks[:_SHOWN]})


def mask_covers_assistant_only(warehouse: Warehouse, domain: str) -> CheckOutcome:
    """The train mask is 1 on every assistant message, 0 on all others, and nowhere empty."""
    return _none_of(
        warehouse, "checks/masks_beside_assistant", domain, "records have a mask beside the assistant's turns"
    )


def kept_and_dropped_cover_pool(warehouse: Warehouse, domain: str) -> CheckOutcome:
    """Deduplication decided on every intent of the pool exactly once, and on nothing else."""
    row = warehouse.rows(sql("checks/kept_and_dropped_cover_pool"), {"domain": domain})[0]
    wrong = row["undecided"] + row["both"] + row["strangers"] + abs(row["pool"] - row["kept"] - row["dropped"])
    return CheckOutcome(
        wrong == 0,
        f"{row['pool']} intents = {row['kept']} kept + {row['dropped']} dropped; "
        f"{row['undecided']} undecided, {row['both']} both, {row['strangers']} not in the pool",
        row,
    )


def utterances_unique(warehouse: Warehouse, domain: str, kept_only: bool = True) -> CheckOutcome:
    """No utterance of the domain is said twice, in any domain; `kept_only` looks at what deduplication kept."""
    repeated = warehouse.rows(sql("checks/utterances_repeated"), {"domain": domain, "kept_only": kept_only})
    said = f"{len(repeated)} utterances occur more than once"
    if repeated:
        said += f", for example: {repeated[0]['utterance'][:200]}"
    return CheckOutcome(not repeated, said, {"repeated": len(repeated), "examples": repeated[:_SHOWN]})


def vendi_floor(warehouse: Warehouse, domain: str, floor: float, metric: str = "vendi") -> CheckOutcome:
    """The domain's Vendi Score, at its largest n, reaches `floor`; no score, no pass."""
    rows = warehouse.rows(sql("checks/vendi_of_domain"), {"domain": domain, "metric": metric})
    value = rows[0]["value"] if rows else None
    if value is None or math.isnan(value):
        return CheckOutcome(False, f"no {metric} reported for {domain}", {"floor": floor})
    return _reaches(value, rows[0]["n"], floor)


def vendi_pool_floor(warehouse: Warehouse, floor: float, n: int = 200) -> CheckOutcome:
    """The pool's Vendi Score at `n` reaches `floor`: at equal n, since the score grows with the pool. A smaller pool passes."""
    rows = warehouse.rows(sql("checks/vendi_of_pool"), {"n": n})
    if not rows:
        return CheckOutcome(
            True, f"the pool has fewer than {n} kept intents, so there is no score at n = {n}", {"n": n}
        )
    return _reaches(rows[0]["value"], n, floor)


def _reaches(value: float, n: int, floor: float) -> CheckOutcome:
    found = {"vendi": value, "n": n, "floor": floor}
    return CheckOutcome(value >= floor, f"Vendi {value:.2f} at n = {n}, floor {floor:.2f}", found)


def _none_of(warehouse: Warehouse, query: str, domain: str, what: str) -> CheckOutcome:
    found = [row["id"] for row in warehouse.rows(sql(query), {"domain": domain})]
    return CheckOutcome(not found, f"{len(found)} {what}", {"found": len(found), "examples": found[:_SHOWN]})


def _scoped(query: str, domain: str | None, **identifiers: str) -> tuple[str, dict[str, Any]]:
    scope, values = ("true", {}) if domain is None else ('"domain" = $domain', {"domain": domain})
    return sql(query).format(scope=scope, **identifiers), values


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
