"""From a Dagster context to a `StageRun`, from a stage's summary to metadata, from an error to words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import dagster as dg
from pydantic import Field

from ise_assets.checks import CheckOutcome, not_empty
from ise_assets.defs import markdown
from ise_assets.defs.tables import lineage
from ise_assets.settings import Settings, load_settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse

CALLS_MODELS = {"ise/calls_models": "yes"}
RUNS_WORKSPACES = {"ise/runs_workspaces": "yes"}
"""Tags by which assets are found in the catalogue: what may cost money, and what needs isolation."""

VIEWED = ("simulated_dialogues", "executed_traces")
"""Assets whose sessions `ise view` shows; their materializations link to it."""

OBSERVATION_EVERY_S = 60.0
_PICTURE_BYTES = 100_000
_PICTURE = "_png_base64"
_MARKDOWN: dict[str, Callable[[str], str]] = {"sample_session": markdown.transcript, "problem_report": str}
"""What is shown as markdown, and what makes it safe to show; a problem report escapes its cells itself."""

listeners: list[Callable[[str, str | None, int, int, str], None]] = []
"""Told of progress: asset, partition, done, total, what. The terminal listens here; the UI sees observations."""


class StageConfig(dg.Config):
    """What a person may set when launching a run."""

    refresh: bool = Field(default=False, description="Also do again what is stale, not only what is missing.")


class Pipeline(dg.ConfigurableResource):
    """The settings and the warehouse, read from the environment when a run starts."""

    def settings(self) -> Settings:
        """The settings of this run."""
        return load_settings()

    def warehouse(self) -> Warehouse:
        """The warehouse they point to."""
        return Warehouse.of(self.settings())

    def stage(self, context: dg.AssetExecutionContext, config: StageConfig | None = None) -> StageRun:
        """What a stage function is handed."""
        settings = self.settings()
        return StageRun(
            warehouse=Warehouse.of(settings),
            settings=settings,
            run_id=context.run.run_id,
            refresh=bool(config and config.refresh),
            progress=_progress(context),
        )


def carry_out(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    work: Callable[[StageRun], Mapping[str, Any]],
    config: StageConfig | None = None,
) -> dg.MaterializeResult:
    """Do a stage's work and report its figures and the rows of the asset's table.

    Raises:
        dg.Failure: with the words of the project's own error, which say what to do; what is unforeseen stays as it is.
    """
    try:
        run = pipeline.stage(context, config)
        summary = work(run)
    except Exception as error:
        if not type(error).__module__.startswith("ise_assets."):
            raise
        raise dg.Failure(description=str(error), allow_retries=False) from error
    metadata = {name.removesuffix(_PICTURE): value_of(name, value) for name, value in summary.items()}
    table = context.asset_key.to_user_string()
    metadata["dagster/row_count"] = _rows(run, table, None)
    if table in VIEWED:
        metadata["viewer"] = dg.MetadataValue.url(
            f"{run.settings.view_url.rstrip('/')}/?domain={context.partition_key}"
        )
    if context.has_partition_key:
        metadata["dagster/partition_row_count"] = _rows(run, table, context.partition_key)
    if columns := lineage(table):
        metadata["dagster/column_lineage"] = dg.MetadataValue.column_lineage(columns)
    return dg.MaterializeResult(metadata=metadata)


def _rows(run: StageRun, table: str, domain: str | None) -> dg.MetadataValue:
    return dg.MetadataValue.int(not_empty(run.warehouse, table, domain).metadata["rows"])


def value_of(name: str, value: Any) -> dg.MetadataValue:
    """One figure, list, table or picture, as the UI shows it best. Text from data is shown as text."""
    if value is None:
        return dg.MetadataValue.text("none")
    if name.endswith(_PICTURE):
        fits = len(value) <= _PICTURE_BYTES * 4 // 3
        return dg.MetadataValue.md(f"![picture](data:image/png;base64,{value})" if fits else "(picture too large)")
    if name in _MARKDOWN:
        return dg.MetadataValue.md(_MARKDOWN[name](value))
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, float):
        return dg.MetadataValue.float(value)
    if isinstance(value, str) and value.startswith("/"):
        return dg.MetadataValue.path(value)
    if isinstance(value, (dict, list)):
        return dg.MetadataValue.json(value)
    return dg.MetadataValue.text(str(value))


def check_result(
    outcome: CheckOutcome, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckResult:
    """A plain check's outcome for Dagster."""
    return dg.AssetCheckResult(
        passed=outcome.passed,
        severity=severity,
        description=outcome.description,
        metadata={name: value_of(name, value) for name, value in outcome.metadata.items()},
    )


def _progress(context: dg.AssetExecutionContext) -> Callable[[int, int, str], None]:
    asset = context.asset_key.to_user_string()
    partition = context.partition_key if context.has_partition_key else None
    last = time.monotonic()

    def told(done: int, total: int, what: str) -> None:
        nonlocal last
        for listener in listeners:
            listener(asset, partition, done, total, what)
        if time.monotonic() - last >= OBSERVATION_EVERY_S and done < total:
            last = time.monotonic()
            with suppress(dg.DagsterInvariantViolationError):  # no step is running any more: nothing to tell it to
                context.log_event(
                    dg.AssetObservation(
                        context.asset_key, partition=partition, metadata={"done": done, "total": total, "what": what}
                    )
                )

    return told
