"""What every table must hold before the next stage may build on it; the tests themselves are plain functions."""

from collections.abc import Callable

import dagster as dg

from ise_assets import checks
from ise_assets.checks import CheckOutcome
from ise_assets.defs.execute.assets import executed_traces
from ise_assets.defs.intent.assets import (
    deduped_pool,
    diversity_report,
    intent_embeddings,
    intent_pool,
    persona_pool,
    pool_diversity,
)
from ise_assets.defs.partitions import domains
from ise_assets.defs.simulate.assets import simulated_dialogues
from ise_assets.defs.stage import Pipeline, check_result
from ise_assets.defs.train.assets import sft_split
from ise_assets.settings import Settings
from ise_assets.train.checks import decontaminated, nothing_leaks_across, nothing_to_scrub, records_are_verbatim
from ise_assets.warehouse import Warehouse

ACCEPTED_FLOOR = 0.95
STRAY = 0.4
Test = Callable[[Warehouse, Settings, str], CheckOutcome]


def _domain_check(
    asset: dg.AssetsDefinition, name: str, description: str, test: Test, blocking: bool = True
) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, name=name, description=description, partitions_def=domains, blocking=blocking)
    def _check(context: dg.AssetCheckExecutionContext, pipeline: Pipeline) -> dg.AssetCheckResult:
        severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN
        return check_result(test(pipeline.warehouse(), pipeline.settings(), context.partition_key), severity)

    return _check


def _keys(table: str, *keys: str) -> Test:
    return lambda warehouse, settings, domain: checks.unique_keys(warehouse, table, keys, domain)


@dg.asset_check(asset=persona_pool, blocking=True, description="Every persona is in the pool once.")
def personas_unique(pipeline: Pipeline) -> dg.AssetCheckResult:
    """count(*) equals count(distinct id)."""
    return check_result(checks.unique_keys(pipeline.warehouse(), "persona_pool", ["id"]))


@dg.asset_check(asset=persona_pool, description="No row of a persona list was left out.")
def every_row_taken(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Only a warning: the pool is right without the row, but somebody may wait for it."""
    return check_result(checks.every_row_taken(pipeline.warehouse()), dg.AssetCheckSeverity.WARN)


intents_unique = _domain_check(intent_pool, "intents_unique", "Every intent is there once.", _keys("intent_pool", "id"))
utterances_unique = _domain_check(
    intent_pool,
    "utterances_unique",
    "No two intents of the domain are worded alike.",
    lambda warehouse, settings, domain: checks.utterances_unique(warehouse, domain, kept_only=False),
)
embeddings_unique = _domain_check(
    intent_embeddings,
    "embeddings_unique",
    "One vector per intent and model.",
    _keys("intent_embeddings", "intent_id", "model"),
)
pool_covered = _domain_check(
    deduped_pool,
    "pool_covered",
    "Every intent is either kept or dropped with its reason.",
    lambda warehouse, settings, domain: checks.kept_and_dropped_cover_pool(warehouse, domain),
)
diverse_enough = _domain_check(
    diversity_report,
    "diverse_enough",
    "The domain's Vendi Score is not below the floor (ISE_VENDI_FLOOR).",
    lambda warehouse, settings, domain: checks.vendi_floor(warehouse, domain, settings.vendi_floor),
    blocking=False,
)


@dg.asset_check(
    asset=pool_diversity,
    blocking=True,
    description="The pool's Vendi Score at n = 200 is not below the floor (ISE_VENDI_POOL_FLOOR).",
)
def pool_diverse_enough(pipeline: Pipeline) -> dg.AssetCheckResult:
    """At equal n, as the score grows with the pool."""
    return check_result(checks.vendi_pool_floor(pipeline.warehouse(), pipeline.settings().vendi_pool_floor))


sessions_unique = _domain_check(
    simulated_dialogues,
    "sessions_unique",
    "One row per intent and rollout.",
    _keys("simulated_dialogues", "intent_id", "rollout_index"),
)
like_ise = _domain_check(
    simulated_dialogues,
    "like_ise",
    f"Turns, calls and tools of a session are, on average, within {STRAY:.0%} of ISE's.",
    lambda warehouse, settings, domain: checks.like_ise(warehouse, domain, STRAY),
    blocking=False,
)
calls_unique = _domain_check(
    executed_traces, "calls_unique", "One row per tool call.", _keys("tool_calls", "dialogue_id", "call_index")
)
failures_labelled = _domain_check(
    executed_traces,
    "failures_labelled",
    "No call with a non-zero exit is called ok.",
    lambda warehouse, settings, domain: checks.failures_labelled(warehouse, domain),
)
accepted_enough = _domain_check(
    executed_traces,
    "accepted_enough",
    f"At least {ACCEPTED_FLOOR:.0%} of the sessions are accepted and reproduced.",
    lambda warehouse, settings, domain: checks.accepted_share(warehouse, domain, ACCEPTED_FLOOR),
    blocking=False,
)
personas_in_one_split = _domain_check(
    sft_split,
    "personas_in_one_split",
    "No persona is in two splits.",
    lambda warehouse, settings, domain: checks.no_persona_in_two_splits(warehouse),
)
mask_on_assistant_only = _domain_check(
    sft_split,
    "mask_on_assistant_only",
    "The train mask covers the assistant's messages and nothing else.",
    lambda warehouse, settings, domain: checks.mask_covers_assistant_only(warehouse, domain),
)
records_verbatim = _domain_check(
    sft_split,
    "records_verbatim",
    "The records' messages are those of their dialogues, byte for byte, but for recorded redactions.",
    lambda warehouse, settings, domain: records_are_verbatim(warehouse, domain),
)
no_leak_across_splits = _domain_check(
    sft_split,
    "no_leak_across_splits",
    "No scenario instance of another split, and no held-out scenario, is in train.",
    lambda warehouse, settings, domain: nothing_leaks_across(warehouse, settings),
)
benchmarks_kept_out = _domain_check(
    sft_split,
    "benchmarks_kept_out",
    "Nothing of the benchmarks that ISE_BENCHMARKS names stands in a record.",
    decontaminated,
)
scrubbed = _domain_check(
    sft_split,
    "scrubbed",
    "A sample of records holds nothing of this machine and no secret.",
    nothing_to_scrub,
)
