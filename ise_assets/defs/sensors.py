"""What notices new persona lists, and what carries news down the graph."""

import dagster as dg

from ise_assets.defs.intent.assets import intent_pool, persona_pool
from ise_assets.defs.partitions import domains
from ise_assets.defs.simulate.assets import simulated_dialogues
from ise_assets.intent.persona_pool import pending_lists
from ise_assets.settings import load_settings
from ise_assets.stage import OUT_OF_TIME
from ise_assets.warehouse import Warehouse


@dg.sensor(
    target=dg.AssetSelection.assets(persona_pool),
    minimum_interval_seconds=20,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes in persona lists (JSONL, CSV, Parquet) dropped into the folder `personas` of ISE_HOME, and intents (JSONL) in `intents`.",
)
def persona_lists(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Requests `persona_pool` when a list in the watched folders is not in the pool yet (by content hash)."""
    settings = load_settings()
    warehouse = Warehouse.of(settings)
    new = [*pending_lists(settings.personas_dir, warehouse), *pending_lists(settings.intents_dir, warehouse)]
    if not new:
        return dg.SkipReason(f"nothing new in {settings.personas_dir} and {settings.intents_dir}")
    key = "; ".join(f"{path.name} {sha256[:16]}" for path, sha256 in new)
    request = dg.RunRequest(run_key=key, asset_selection=[persona_pool.key], tags={"persona_lists": key[:200]})
    return dg.SensorResult(run_requests=[request])


@dg.sensor(
    target=dg.AssetSelection.assets(intent_pool, simulated_dialogues),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Goes on with domains whose last run used up its time (ISE_MAX_MINUTES_PER_RUN) before its work was done.",
)
def go_on(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Requests once more what the last run of an asset and domain left undone for want of time; for want of money it asks nobody."""
    settings = load_settings()
    if settings.uses_paid_models and not settings.allow_paid_automation:
        return dg.SkipReason("models that may cost money are set, and ISE_ALLOW_PAID_AUTOMATION is not")
    requests = []
    for asset in (intent_pool, simulated_dialogues):
        for domain in domains.get_partition_keys():
            wanted = dg.AssetRecordsFilter(asset.key, asset_partitions=[domain])
            for record in context.instance.fetch_materializations(wanted, limit=1).records:
                said = record.asset_materialization.metadata if record.asset_materialization else {}
                if "stopped_by" in said and said["stopped_by"].value == OUT_OF_TIME:
                    key = f"{asset.key.to_user_string()} {domain} {record.run_id}"
                    requests.append(dg.RunRequest(run_key=key, asset_selection=[asset.key], partition_key=domain))
    return dg.SensorResult(run_requests=requests) if requests else dg.SkipReason("no run ended for want of time")


carry_on = dg.AutomationConditionSensorDefinition(
    "carry_on",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Carries what is new down the graph, by the assets' automation conditions.",
)
