"""The end product as an asset: training records and their exports."""

import dagster as dg

from ise_assets.defs.automation import flow
from ise_assets.defs.execute.assets import executed_traces
from ise_assets.defs.partitions import domains
from ise_assets.defs.stage import Pipeline, result_of
from ise_assets.train.split import build_split


@dg.asset(
    group_name="train",
    kinds={"duckdb", "parquet"},
    partitions_def=domains,
    deps=[executed_traces],
    automation_condition=flow,
    code_version="1",
)
def sft_split(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult:
    """Train, validation and test records of accepted and reproduced sessions, exported with a dataset card."""
    return result_of(build_split(pipeline.stage(context), context.partition_key), rows="records")
