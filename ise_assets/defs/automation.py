"""When assets materialize by themselves: new persona lists flow down; paid models only by opt-in."""

from datetime import timedelta

import dagster as dg

from ise_assets.settings import load_settings

as_the_code = (
    (
        dg.AutomationCondition.missing()
        | dg.AutomationCondition.code_version_changed().since(dg.AutomationCondition.newly_requested())
    )
    & ~dg.AutomationCondition.in_progress()
    & ~dg.AutomationCondition.execution_failed()
).with_label("when missing, and when the files behind it changed")
flow = dg.AutomationCondition.eager().with_label("whenever something above is new")
report_what_there_is = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("over what there is")


fresh = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=30), warn_window=timedelta(days=8))
"""Somebody looked after it this week; what is older than a month is shown as overdue."""


def flow_unless_paid() -> dg.AutomationCondition | None:
    """`flow`, or nothing where it would spend money that nobody has agreed to (ISE_ALLOW_PAID_AUTOMATION)."""
    settings = load_settings()
    return None if settings.uses_paid_models and not settings.allow_paid_automation else flow
