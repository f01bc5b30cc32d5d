"""Stage S as an asset: live sessions of a role-locked user and an agent in a workspace."""

import dagster as dg

from ise_assets.defs.automation import flow_unless_paid, fresh
from ise_assets.defs.intent.assets import deduped_pool
from ise_assets.defs.partitions import domains
from ise_assets.defs.stage import CALLS_MODELS, RUNS_WORKSPACES, Pipeline, StageConfig, carry_out
from ise_assets.defs.tables import described
from ise_assets.simulate.stage import simulate_domain


@dg.asset(
    group_name="simulate",
    kinds={"duckdb", "litellm"},
    tags={**CALLS_MODELS, **RUNS_WORKSPACES},
    metadata=described("simulated_dialogues"),
    partitions_def=domains,
    deps=[deduped_pool],
    automation_condition=flow_unless_paid(),
    pool="sessions",
    code_version="1",
    freshness_policy=fresh,
)
def simulated_dialogues(
    context: dg.AssetExecutionContext, config: StageConfig, pipeline: Pipeline
) -> dg.MaterializeResult:
    """Multi-turn delegation that really happened: what the agent model was sent and returned, every tool call live.

    One session per kept intent and rollout; a run does those that are missing. `sample_session` is one to read.
    """
    return carry_out(context, pipeline, lambda run: simulate_domain(run, context.partition_key), config)
