"""The end product as an asset: training records and their exports."""

import dagster as dg

from ise_assets.defs.automation import flow, fresh
from ise_assets.defs.execute.assets import executed_traces
from ise_assets.defs.partitions import domains
from ise_assets.defs.stage import Pipeline, carry_out
from ise_assets.defs.tables import described
from ise_assets.train.split import build_split


@dg.asset(
    group_name="train",
    kinds={"duckdb", "parquet"},
    metadata=described("sft_split"),
    partitions_def=domains,
    deps=[executed_traces],
    automation_condition=flow,
    code_version="1",
    freshness_policy=fresh,
)
def sft_split(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Train, validation and test records of accepted and reproduced sessions, scrubbed, exported with a dataset card.

    `dropped` says why the other sessions gave none (each is in the table `sft_dropped`); `dropped_elsewhere` counts
    records of other domains that leaked into what this one brought; `export_dir` holds the files of all domains.
    """
    return carry_out(context, pipeline, lambda run: build_split(run, context.partition_key))
