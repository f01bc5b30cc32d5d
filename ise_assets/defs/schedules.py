"""What may run by the clock. All of it is off until somebody turns it on in the UI."""

from datetime import timedelta

import dagster as dg

from ise_assets.defs.intent.assets import pool_diversity
from ise_assets.defs.jobs import all_assets
from ise_assets.defs.partitions import domains
from ise_assets.defs.stage import Pipeline
from ise_assets.settings import load_settings

OFF = dg.DefaultScheduleStatus.STOPPED


class Keep(dg.Config):
    """How long what is out of use is kept."""

    days: float = 7.0


@dg.op(description="Forgets old snapshots, puts small files together, deletes files that nothing points to.")
def tidy_warehouse(context: dg.OpExecutionContext, config: Keep, pipeline: Pipeline) -> None:
    """Tidies a lake; a file needs none of it."""
    done = pipeline.warehouse().tidy(timedelta(days=config.days))
    if done is None:
        context.log.info("the warehouse is a file; there is nothing to tidy")
        return
    context.log.info(
        f"{done.snapshots} snapshots forgotten, {done.rewritten} files written anew, {done.deleted} deleted"
    )
    context.add_output_metadata({**done._asdict()})


@dg.job(description="Upkeep of a lake: snapshots and files that nobody needs any more.")
def tidy() -> None:
    """Tidies the warehouse."""
    tidy_warehouse()


report = dg.define_asset_job(
    "report",
    selection=dg.AssetSelection.assets(pool_diversity),
    description="The report over the whole pool: Vendi curve, map, HTML.",
)


@dg.schedule(
    job=all_assets,
    cron_schedule="0 2 * * *",
    default_status=OFF,
    description="Every night at two, what is missing in the ten domains. With models that may cost money only by opt-in.",
)
def nightly_refresh(context: dg.ScheduleEvaluationContext) -> dg.SkipReason | list[dg.RunRequest]:
    """One run a domain; what is finished is not done again."""
    settings = load_settings()
    if settings.uses_paid_models and not settings.allow_paid_automation:
        return dg.SkipReason("models that may cost money are set, and ISE_ALLOW_PAID_AUTOMATION is not")
    night = f"{context.scheduled_execution_time:%Y-%m-%d}"
    return [dg.RunRequest(run_key=f"{night} {domain}", partition_key=domain) for domain in domains.get_partition_keys()]


weekly_report = dg.ScheduleDefinition(
    name="weekly_report",
    job=report,
    cron_schedule="0 6 * * 1",
    default_status=OFF,
    description="Mondays at six, the report over the whole pool.",
)
weekly_tidy = dg.ScheduleDefinition(
    name="weekly_tidy",
    job=tidy,
    cron_schedule="0 4 * * 0",
    default_status=OFF,
    description="Sundays at four, the upkeep of a lake; a file needs none.",
)
