"""Stage I as assets: personas and scenarios become a pool of diverse intents."""

import hashlib
import os
from pathlib import Path
from typing import Any

import dagster as dg

from ise_assets.defs.automation import as_the_code, flow, flow_unless_paid, fresh, report_what_there_is
from ise_assets.defs.partitions import domains
from ise_assets.defs.stage import CALLS_MODELS, Pipeline, StageConfig, carry_out
from ise_assets.defs.tables import described
from ise_assets.intent.catalog import SHIPPED, record_catalog
from ise_assets.intent.dedup import dedup_domain
from ise_assets.intent.diversity import report_domain, report_pool
from ise_assets.intent.embedding import embed_pool
from ise_assets.intent.persona_pool import take_in
from ise_assets.intent.pool import write_intents
from ise_assets.llm import check_models
from ise_assets.stage import StageRun

GROUP = "intent"


def files_version() -> str:
    """Hash of the scenario files: with another one the catalogue in the warehouse is not theirs any more."""
    digest = hashlib.sha256()
    own = os.environ.get("ISE_CATALOG")
    for folder in (SHIPPED, Path(own)) if own else (SHIPPED,):
        for path in sorted((folder / "domains").glob("*/**/*.*")):
            if path.suffix in (".yaml", ".py"):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@dg.asset(
    group_name=GROUP, kinds={"duckdb"}, metadata=described("persona_pool"), code_version="1", freshness_policy=fresh
)
def persona_pool(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Everybody in any persona list, once: the shipped lists and those dropped into the folder `personas`; and who asks in `intents`.

    A new list only adds. Its bad rows are in `problem_report`, with file, line and remedy.
    """
    return carry_out(context, pipeline, take_in)


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb", "yaml"},
    metadata=described("task_catalog"),
    automation_condition=as_the_code,
    code_version=files_version(),
    freshness_policy=fresh,
)
def task_catalog(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Every version of every scenario: seed, subgoals, acceptance checks, solution, slips.

    Its code version is a hash of the scenario files. Intents keep the version they were drawn from.
    """
    return carry_out(context, pipeline, record_catalog)


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb", "litellm"},
    tags=CALLS_MODELS,
    metadata=described("intent_pool"),
    partitions_def=domains,
    deps=[persona_pool, task_catalog],
    automation_condition=flow_unless_paid(),
    code_version="1",
    freshness_policy=fresh,
)
def intent_pool(context: dg.AssetExecutionContext, config: StageConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """Persona x domain x task x complexity, drawn by seed and put into the persona's words; each written once."""

    def work(run: StageRun) -> dict[str, Any]:
        check_models(run.settings)
        summary = write_intents(run, context.partition_key)
        if not summary["personas"]:
            raise dg.Failure("persona_pool is empty, so there is nobody to have intents: materialize persona_pool")
        return summary

    return carry_out(context, pipeline, work, config)


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb", "pytorch"},
    metadata=described("intent_embeddings"),
    partitions_def=domains,
    deps=[intent_pool],
    automation_condition=flow,
    code_version="1",
    freshness_policy=fresh,
)
def intent_embeddings(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Unit vectors of the utterances; the same text is never computed twice."""
    return carry_out(context, pipeline, lambda run: embed_pool(run, context.partition_key))


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    metadata=described("deduped_pool"),
    partitions_def=domains,
    deps=[intent_embeddings],
    automation_condition=flow,
    code_version="1",
    freshness_policy=fresh,
)
def deduped_pool(context: dg.AssetExecutionContext, config: StageConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """The kept intents: exact and semantic duplicates over all domains are dropped.

    Each drop names what it duplicates, in the table `dropped_duplicates`. What was kept stays kept, whatever comes later.
    """
    return carry_out(context, pipeline, lambda run: dedup_domain(run, context.partition_key), config)


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    metadata=described("diversity_report"),
    partitions_def=domains,
    deps=[deduped_pool],
    automation_condition=flow,
    code_version="1",
    freshness_policy=fresh,
)
def diversity_report(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """One domain's Vendi Score, Distinct-n, coverage and neighbours, with a picture."""
    return carry_out(context, pipeline, lambda run: report_domain(run, context.partition_key))


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    metadata=described("pool_diversity"),
    deps=[deduped_pool],
    automation_condition=report_what_there_is,
    code_version="1",
    freshness_policy=fresh,
)
def pool_diversity(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """The whole pool's Vendi Score with its curve beside ISE's, and a map of the pool; `report` is the page to read."""
    return carry_out(context, pipeline, report_pool)
