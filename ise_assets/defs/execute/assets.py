"""Stage E as an asset: every session replayed in a fresh workspace, and checked."""

import dagster as dg

from ise_assets.defs.automation import flow
from ise_assets.defs.partitions import domains
from ise_assets.defs.simulate.assets import simulated_dialogues
from ise_assets.defs.stage import Pipeline, StageConfig, result_of
from ise_assets.execute.stage import replay_domain


@dg.asset(
    group_name="execute",
    kinds={"duckdb", "bubblewrap"},
    partitions_def=domains,
    deps=[simulated_dialogues],
    automation_condition=flow,
    pool="sessions",
    code_version="1",
)
def executed_traces(context: dg.AssetExecutionContext, config: StageConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """Every tool call run again: evidence, divergence, acceptance on the final state, failure and recovery spans."""
    return result_of(replay_domain(pipeline.stage(context, config), context.partition_key), rows="traces")
