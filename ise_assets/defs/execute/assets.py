"""Stage E as an asset: every session replayed in a fresh workspace, and checked."""

import dagster as dg

from ise_assets.defs.automation import flow, fresh
from ise_assets.defs.partitions import domains
from ise_assets.defs.simulate.assets import simulated_dialogues
from ise_assets.defs.stage import RUNS_WORKSPACES, Pipeline, StageConfig, carry_out
from ise_assets.defs.tables import described
from ise_assets.execute.stage import replay_domain


@dg.asset(
    group_name="execute",
    kinds={"duckdb", "bubblewrap"},
    tags=RUNS_WORKSPACES,
    metadata=described("executed_traces"),
    partitions_def=domains,
    deps=[simulated_dialogues],
    automation_condition=flow,
    pool="sessions",
    code_version="1",
    freshness_policy=fresh,
)
def executed_traces(context: dg.AssetExecutionContext, config: StageConfig, pipeline: Pipeline) -> dg.MaterializeResult:
    """Every tool call run again: evidence, divergence, acceptance on the final state, failure and recovery spans.

    The calls themselves, live beside replayed, are in the table `tool_calls`. No model is called.
    """
    return carry_out(context, pipeline, lambda run: replay_domain(run, context.partition_key), config)
