"""What notices new persona lists, and what carries news down the graph."""

import dagster as dg

from ise_assets.defs.intent.assets import persona_pool
from ise_assets.intent.personas import pending_lists
from ise_assets.settings import load_settings
from ise_assets.warehouse import Warehouse


@dg.sensor(
    target=dg.AssetSelection.assets(persona_pool),
    minimum_interval_seconds=20,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes in persona lists (JSONL, CSV, Parquet) dropped into the folder `personas` of ISE_HOME.",
)
def persona_lists(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Requests `persona_pool` when a list in the watched folder is not in the pool yet (by content hash)."""
    settings = load_settings()
    new = pending_lists(settings.personas_dir, Warehouse(settings.warehouse_path))
    if not new:
        return dg.SkipReason(f"no new persona list in {settings.personas_dir}")
    key = "; ".join(f"{path.name} {sha256[:16]}" for path, sha256 in new)
    request = dg.RunRequest(run_key=key, asset_selection=[persona_pool.key], tags={"persona_lists": key[:200]})
    return dg.SensorResult(run_requests=[request])


carry_on = dg.AutomationConditionSensorDefinition(
    "carry_on",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Carries what is new down the graph, by the assets' automation conditions.",
)
