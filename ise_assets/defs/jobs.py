"""The jobs people start by name, the executor, and the resources."""

import dagster as dg

from ise_assets.defs.stage import Pipeline
from ise_assets.stage import DOMAIN_ASSETS

all_assets = dg.define_asset_job(
    "all_assets",
    selection=dg.AssetSelection.assets(*DOMAIN_ASSETS),
    description="One domain or all ten, from the intent pool to the SFT split; persona_pool and task_catalog come first.",
)
one_stage = [
    dg.define_asset_job(
        f"stage_{group}",
        selection=dg.AssetSelection.groups(group) & dg.AssetSelection.assets(*DOMAIN_ASSETS),
        description=f"The {group} stage of one domain.",
    )
    for group in ("intent", "simulate", "execute", "train")
]


@dg.definitions
def shell() -> dg.Definitions:
    """Concurrency lives inside the assets, so runs use the in-process executor (a third of the CPU per run)."""
    return dg.Definitions(
        jobs=[all_assets, *one_stage], executor=dg.in_process_executor, resources={"pipeline": Pipeline()}
    )
