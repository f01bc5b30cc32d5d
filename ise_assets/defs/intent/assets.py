"""Stage I as assets: personas and scenarios become a pool of diverse intents."""

import dagster as dg

from ise_assets.defs.automation import flow, flow_unless_paid, report_what_there_is
from ise_assets.defs.partitions import domains
from ise_assets.defs.stage import Pipeline, StageConfig, result_of
from ise_assets.intent.catalog import record_catalog
from ise_assets.intent.dedup import dedup_domain
from ise_assets.intent.diversity import report_domain, report_pool
from ise_assets.intent.embedding import embed_pool
from ise_assets.intent.personas import take_in
from ise_assets.intent.pool import write_intents
from ise_assets.llm import check_models

GROUP = "intent"


@dg.asset(group_name=GROUP, kinds={"duckdb", "pandas"}, code_version="1")
def persona_pool(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """The union of all persona lists: the shipped ones and those dropped into the watched folder."""
    return result_of(take_in(pipeline.stage(context)), rows="personas")


@dg.asset(group_name=GROUP, kinds={"duckdb", "yaml"}, code_version="1")
def task_catalog(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Every version of every scenario: seed, subgoals, acceptance checks, solution, slips."""
    return result_of(record_catalog(pipeline.stage(context)), rows="scenarios")


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb", "litellm"},
    partitions_def=domains,
    deps=[persona_pool, task_catalog],
    automation_condition=flow_unless_paid(),
    code_version="1",
)
def intent_pool(context: dg.AssetExecutionContext, config: StageConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """Persona x domain x task x complexity, drawn by seed and put into the persona's words; each written once."""
    run = pipeline.stage(context, config)
    check_models(run.settings)
    return result_of(write_intents(run, context.partition_key), rows="intents")


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb", "pytorch"},
    partitions_def=domains,
    deps=[intent_pool],
    automation_condition=flow,
    code_version="1",
)
def intent_embeddings(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Unit vectors of the utterances; the same text is never computed twice."""
    return result_of(embed_pool(pipeline.stage(context), context.partition_key))


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    partitions_def=domains,
    deps=[intent_embeddings],
    automation_condition=flow,
    code_version="1",
)
def deduped_pool(context: dg.AssetExecutionContext, config: StageConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """The kept intents: exact and semantic duplicates over all domains are dropped, each naming what it duplicates."""
    return result_of(dedup_domain(pipeline.stage(context, config), context.partition_key))


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    partitions_def=domains,
    deps=[deduped_pool],
    automation_condition=flow,
    code_version="1",
)
def diversity_report(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """One domain's Vendi Score, Distinct-n, coverage and neighbours."""
    return result_of(report_domain(pipeline.stage(context), context.partition_key))


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb"},
    deps=[deduped_pool],
    automation_condition=report_what_there_is,
    code_version="1",
)
def pool_diversity(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """The whole pool's Vendi Score with its curve beside ISE's, and a map of the pool."""
    return result_of(report_pool(pipeline.stage(context)))
