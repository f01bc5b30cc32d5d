"""From a Dagster context to a `StageRun`, and from a stage's summary to metadata."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import dagster as dg
from pydantic import Field

from ise_assets.checks import CheckOutcome
from ise_assets.settings import Settings, load_settings
from ise_assets.simulate.scripted.provider import register
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse

OBSERVATION_EVERY_S = 60.0
_PICTURE_BYTES = 100_000

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
        return Warehouse(self.settings().warehouse_path)

    def stage(self, context: dg.AssetExecutionContext, config: StageConfig | None = None) -> StageRun:
        """What a stage function is handed."""
        register()
        settings = self.settings()
        return StageRun(
            warehouse=Warehouse(settings.warehouse_path),
            settings=settings,
            run_id=context.run_id,
            refresh=bool(config and config.refresh),
            progress=_progress(context),
        )


def result_of(summary: Mapping[str, Any], rows: str | None = None) -> dg.MaterializeResult:
    """A stage's summary as a materialization; `rows` names the figure that is the table's row count."""
    metadata: dict[str, dg.MetadataValue] = {name: value_of(name, value) for name, value in summary.items()}
    if rows is not None:
        metadata["dagster/row_count"] = dg.MetadataValue.int(int(summary[rows]))
    return dg.MaterializeResult(metadata=metadata)


def value_of(name: str, value: Any) -> dg.MetadataValue:
    """One figure, list, table or picture, as the UI shows it best. Text from data is shown as text."""
    if value is None:
        return dg.MetadataValue.text("none")
    if name.endswith("png_base64"):
        fits = len(value) <= _PICTURE_BYTES * 4 // 3
        return dg.MetadataValue.md(f"![picture](data:image/png;base64,{value})" if fits else "(picture too large)")
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, float):
        return dg.MetadataValue.float(value)
    if isinstance(value, str) and "\n" in value:
        return dg.MetadataValue.md(value)
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
