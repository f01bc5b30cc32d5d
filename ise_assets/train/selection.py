"""Which sessions become records, and in which split: policies over all domains at once, with a reason for every drop.

The decision is a function of what is in the warehouse and of the settings, never of the order in which domains run: caps
and leaks are looked for over all domains. Bodies are not read here; what depends on them comes later, in `split`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from ise_assets.intent.dedup import matrix_of
from ise_assets.intent.models import content_hash
from ise_assets.settings import SCRIPTED_PROVIDER, Settings
from ise_assets.train.models import HELD_OUT_SCENARIOS, PERSONA_SPLITS, Split
from ise_assets.warehouse import Warehouse, sql

_BUCKETS = 10_000
_VECTORS_AT_ONCE = 2_048
Candidate = dict[str, Any]


@dataclass
class Selection:
    """What the policies let through (each candidate with its `split`), and why not the others: dialogue id -> reason."""

    kept: list[Candidate] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)

    def drop(self, candidate: Candidate, reason: str) -> None:
        """Count the first reason against a session."""
        self.dropped.setdefault(candidate["dialogue_id"], reason)

    def filter(self, reason_against: Callable[[Candidate], str | None]) -> None:
        """Drop what there is a reason against."""
        kept = []
        for candidate in self.kept:
            if reason := reason_against(candidate):
                self.drop(candidate, reason)
            else:
                kept.append(candidate)
        self.kept = kept


def split_of(persona_id: str, percent: Sequence[int]) -> Split:
    """The split of a persona's records: a function of the id alone, so adding data never moves a record.

    Args:
        persona_id: content hash of the persona.
        percent: percent of personas in train, validation, test; they sum to 100.
    """
    if sum(percent) != 100:
        raise ValueError(f"percentages of a split must sum to 100, got {tuple(percent)}")
    bucket = int(content_hash("split", persona_id), 16) % _BUCKETS
    bounds = [bound * _BUCKETS // 100 for bound in accumulate(percent)]
    return next(split for split, bound in zip(PERSONA_SPLITS, bounds, strict=True) if bucket < bound)


def is_held_out(scenario: str, percent: int) -> bool:
    """Whether sessions with that scenario are kept for testing: a function of its name, in every version of it."""
    return int(content_hash("held-out scenario", scenario), 16) % _BUCKETS < percent * _BUCKETS // 100


def place(persona_id: str, scenarios: Iterable[str], settings: Settings) -> Split:
    """The split of one session: `test_scenarios` when it has a held-out scenario, else its persona's."""
    if any(is_held_out(scenario, settings.heldout_scenario_percent) for scenario in scenarios):
        return HELD_OUT_SCENARIOS
    return split_of(persona_id, settings.split_percent)


def select_sessions(warehouse: Warehouse, settings: Settings) -> Selection:
    """All policies over all domains' sessions."""
    selection = select(warehouse.rows(sql("train/select_candidates")), settings)
    ids = sorted({candidate["intent_id"] for candidate in selection.kept})
    instances = {row["id"]: row["instances"] for row in warehouse.rows(sql("train/select_instances"), {"ids": ids})}
    selection.filter(_leaks_of_scenarios(selection.kept, instances))
    near = _near_held_out(warehouse, selection.kept, settings)
    selection.filter(lambda candidate: "leak_utterance" if candidate["intent_id"] in near else None)
    tools: dict[str, list[str]] = {}
    if settings.sft_cap_tool:
        tools = {row["dialogue_id"]: row["tools"] for row in warehouse.rows(sql("train/select_tools_called"))}
    cap(selection, settings, tools)
    return selection


def select(candidates: Iterable[Candidate], settings: Settings) -> Selection:
    """The policies that look at sessions and their siblings alone; the first reason against a session counts."""
    selection = Selection(kept=list(candidates))
    rates, rejected = _pass_rates(selection.kept), _rejected(selection.kept)
    selection.filter(lambda candidate: _unfit(candidate, settings))
    wanted = _origin(selection.kept, settings)
    selection.filter(lambda candidate: "other_origin" if wanted not in (None, origin_of(candidate)) else None)
    selection.filter(lambda candidate: _unwanted_recoveries(candidate, settings))
    low, high = settings.sft_pass_rate
    selection.filter(lambda c: None if low <= rates.get(c["intent_id"], 1.0) <= high else "pass_rate")
    selection.kept = _best_first(selection.kept)
    _pair(selection.kept, rejected)
    if settings.sft_best_of:
        seen: Counter[str] = Counter()
        selection.filter(lambda c: _once_more(seen, c["intent_id"], settings.sft_best_of))
    for candidate in selection.kept:
        candidate["split"] = place(candidate["persona_id"], candidate["tasks"] or (), settings)
        candidate["pass_rate"] = rates.get(candidate["intent_id"])
    selection.kept.sort(key=lambda candidate: str(candidate["dialogue_id"]))
    return selection


def origin_of(candidate: Candidate) -> str:
    """`scripted` or `real`, by the agent: its turns are what is learnt."""
    return "scripted" if str(candidate["agent_model"]).startswith(f"{SCRIPTED_PROVIDER}/") else "real"


def cap(selection: Selection, settings: Settings, tools: dict[str, list[str]]) -> None:
    """Keep no more records per persona, scenario and tool (of each split) than the settings allow.

    Who stays is decided by a hash of the session, so it is the same in every run over the same sessions.
    """
    limits = {
        "persona": settings.sft_cap_persona,
        "scenario": settings.sft_cap_scenario,
        "tool": settings.sft_cap_tool,
    }
    if not any(limits.values()):
        return
    counts: Counter[tuple[str, str, str]] = Counter()
    full: dict[str, str] = {}
    for candidate in sorted(selection.kept, key=lambda c: content_hash("cap", c["dialogue_id"])):
        keys = {"persona": [candidate["persona_id"]], "scenario": candidate["tasks"] or []}
        keys["tool"] = tools.get(candidate["dialogue_id"], [])
        own = [(kind, candidate["split"], key) for kind, limit in limits.items() if limit for key in keys[kind]]
        if over := next((key for key in own if counts[key] >= limits[key[0]]), None):
            full[candidate["dialogue_id"]] = f"cap_{over[0]}"
        else:
            counts.update(own)
    selection.filter(lambda candidate: full.get(candidate["dialogue_id"]))


def near_any(rows: npt.NDArray[np.float32], others: npt.NDArray[np.float32], threshold: float) -> npt.NDArray[np.bool_]:
    """Which of `rows` (float32 [n, d], unit) have a cosine of `threshold` or more with any of `others` [m, d]."""
    if not len(rows) or not len(others):
        return np.zeros(len(rows), dtype=np.bool_)
    found: npt.NDArray[np.bool_] = (rows @ others.T).max(axis=1) >= threshold - 1e-6
    return found


def _unfit(candidate: Candidate, settings: Settings) -> str | None:
    if candidate["status"] != "completed":
        return f"status_{candidate['status']}"
    for reason, holds in (
        ("unknown_intent", candidate["intent_known"]),
        ("unknown_persona", candidate["persona_known"]),
        ("not_replayed", candidate["replayed"]),
        ("not_reproduced", candidate["reproduced"] or not settings.sft_reproduced),
        ("unverified", candidate["accepted"] is not None or settings.sft_unverified),
        ("not_accepted", candidate["accepted"] is not False or not settings.sft_accepted),
    ):
        if not holds:
            return reason
    return None


def _unwanted_recoveries(candidate: Candidate, settings: Settings) -> str | None:
    if settings.sft_recoveries == "drop" and candidate["failures"]:
        return "has_failures"
    if settings.sft_recoveries == "only" and not candidate["recoveries"]:
        return "no_recovery"
    return None


def _origin(kept: Sequence[Candidate], settings: Settings) -> str | None:
    """Whose sessions are wanted; None for both."""
    if settings.sft_origin == "mixed":
        return None
    if settings.sft_origin != "auto":
        return settings.sft_origin
    return "real" if any(origin_of(candidate) == "real" for candidate in kept) else "scripted"


def _pass_rates(candidates: Iterable[Candidate]) -> dict[str, float]:
    """Accepted share of an intent's replayed rollouts, where there is anything to accept."""
    outcomes: defaultdict[str, list[bool]] = defaultdict(list)
    for candidate in candidates:
        if candidate["replayed"] and candidate["accepted"] is not None:
            outcomes[candidate["intent_id"]].append(bool(candidate["accepted"]))
    return {intent: sum(accepted) / len(accepted) for intent, accepted in outcomes.items()}


def _best_first(kept: Sequence[Candidate]) -> list[Candidate]:
    """An intent's rollouts side by side, those with fewer failures, then fewer calls, first."""
    return sorted(
        kept,
        key=lambda c: (
            c["intent_id"],
            not c["accepted"],
            c["failures"] or 0,
            c["tool_call_count"] or 0,
            c["rollout_index"] or 0,
        ),
    )


def _once_more(seen: Counter[str], key: str, limit: int) -> str | None:
    seen[key] += 1
    return "not_among_best" if seen[key] > limit else None


def _rejected(candidates: Iterable[Candidate]) -> dict[tuple[str, str], str]:
    """By intent and agent: the first session that ran to its end and replayed, and was not accepted."""
    found: dict[tuple[str, str], str] = {}
    for candidate in sorted(candidates, key=lambda c: c["rollout_index"] or 0):
        if candidate["status"] == "completed" and candidate["reproduced"] and candidate["accepted"] is False:
            found.setdefault((candidate["intent_id"], candidate["agent_model"]), candidate["dialogue_id"])
    return found


def _pair(kept: Sequence[Candidate], rejected: dict[tuple[str, str], str]) -> None:
    """Give the best accepted session of each intent the rejected one of the same agent, if there is one."""
    before = None
    for candidate in kept:
        best = candidate["intent_id"] != before and candidate["accepted"]
        candidate["rejected"] = rejected.get((candidate["intent_id"], candidate["agent_model"])) if best else None
        before = candidate["intent_id"]


def _leaks_of_scenarios(
    kept: Sequence[Candidate], instances: dict[str, list[int]]
) -> Callable[[Candidate], str | None]:
    held = {i for c in kept if c["split"] != "train" for i in instances.get(c["intent_id"]) or ()}

    def reason_against(candidate: Candidate) -> str | None:
        if candidate["split"] != "train" or held.isdisjoint(instances.get(candidate["intent_id"]) or ()):
            return None
        return "leak_scenario"

    return reason_against


def _near_held_out(warehouse: Warehouse, kept: Sequence[Candidate], settings: Settings) -> set[str]:
    """Intents of train whose utterance is too near one of another split."""
    train = sorted({c["intent_id"] for c in kept if c["split"] == "train"})
    held = sorted({c["intent_id"] for c in kept if c["split"] != "train"})
    query, model = sql("train/select_vectors"), settings.embedding_model
    if not train or not held:
        return set()
    others = matrix_of(warehouse.table(query, {"model": model, "ids": held}))
    near: set[str] = set()
    for start in range(0, len(train), _VECTORS_AT_ONCE):
        block = warehouse.table(query, {"model": model, "ids": train[start : start + _VECTORS_AT_ONCE]})
        hits = near_any(matrix_of(block), others, settings.leak_threshold) if len(others) and block.num_rows else ()
        near |= {identity for identity, hit in zip(block.column("intent_id").to_pylist(), hits, strict=False) if hit}
    return near
