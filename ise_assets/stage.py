"""What every stage function is handed: where to read and write, which run it is, and whom to tell of progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ise_assets.settings import Settings
from ise_assets.warehouse import Warehouse

DOMAIN_ASSETS = (
    "intent_pool",
    "intent_embeddings",
    "deduped_pool",
    "diversity_report",
    "simulated_dialogues",
    "executed_traces",
    "sft_split",
)
"""The assets of one domain, in the order in which they build on each other."""


OUT_OF_TIME, OUT_OF_MONEY = "ISE_MAX_MINUTES_PER_RUN", "ISE_MAX_COST_USD"
"""What a summary's `stopped_by` says: the limit that ended a run before its work was done."""


def _silent(done: int, total: int, what: str) -> None:
    return None


@dataclass(frozen=True)
class StageRun:
    """One run of one stage.

    `progress(done, total, what)` may be called often; whoever shows it limits the rate. `refresh` asks for stale items to be
    done again; otherwise a stage does only what is missing or may be retried.
    """

    warehouse: Warehouse
    settings: Settings
    run_id: str
    refresh: bool = False
    progress: Callable[[int, int, str], None] = field(default=_silent)
