"""Stage S as an asset: live sessions of a role-locked user and an agent in a workspace."""

import dagster as dg

from ise_assets.defs.automation import flow_unless_paid
from ise_assets.defs.intent.assets import deduped_pool
from ise_assets.defs.partitions import domains
from ise_assets.defs.stage import Pipeline, StageConfig, result_of
from ise_assets.llm import check_models
from ise_assets.simulate.stage import simulate_domain


@dg.asset(
    group_name="simulate",
    kinds={"duckdb", "litellm"},
    partitions_def=domains,
    deps=[deduped_pool],
    automation_condition=flow_unless_paid(),
    pool="sessions",
    code_version="1",
)
def simulated_dialogues(
    context: dg.AssetExecutionContext, config: StageConfig, pipeline: Pipeline
) -> dg.MaterializeResult:
    """Multi-turn delegation that really happened: what the agent model was sent and returned, every tool call live."""
    run = pipeline.stage(context, config)
    check_models(run.settings)
    return result_of(simulate_domain(run, context.partition_key), rows="sessions")
