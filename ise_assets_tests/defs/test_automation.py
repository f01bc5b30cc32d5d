"""What is asked for by itself, and how often: evaluated on an instance in memory, without a run."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ise_assets.definitions import defs
from ise_assets.defs.intent.assets import files_version
from ise_assets.intent.models import DOMAINS

CHAIN = (
    "intent_pool",
    "intent_embeddings",
    "deduped_pool",
    "diversity_report",
    "simulated_dialogues",
    "executed_traces",
    "sft_split",
)


class Daemon:
    """Evaluates the conditions tick by tick; `happens` stands for a run that has finished."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.defs = defs()
        self.cursor = None

    def happens(self, asset: str, partition: str | None = None) -> None:
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition))

    def tick(self) -> dict[str, set[str | None]]:
        """Requested partitions by asset; {None} for an unpartitioned one."""
        result = dg.evaluate_automation_conditions(defs=self.defs, instance=self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        names = [key.to_user_string() for key in self.defs.resolve_asset_graph().materializable_asset_keys]
        asked = {name: result.get_requested_partitions(dg.AssetKey(name)) for name in names}
        return {name: partitions for name, partitions in asked.items() if partitions}


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(instance)


def test_a_fresh_instance_gets_its_catalogue_and_nothing_else(daemon: Daemon) -> None:
    assert daemon.tick() == {"task_catalog": {None}}
    daemon.happens("task_catalog")
    assert daemon.tick() == {}


def test_a_list_asks_for_each_domain_once_and_for_one_report_of_the_pool(daemon: Daemon) -> None:
    daemon.tick()
    daemon.happens("task_catalog")
    daemon.tick()
    daemon.happens("persona_pool")
    assert daemon.tick() == {name: set(DOMAINS) for name in CHAIN}
    assert daemon.tick() == {}
    for domain in DOMAINS:
        for name in CHAIN:
            daemon.happens(name, domain)
    assert daemon.tick() == {"pool_diversity": {None}}
    daemon.happens("pool_diversity")
    assert daemon.tick() == {}
    daemon.happens("persona_pool")
    assert daemon.tick() == {name: set(DOMAINS) for name in CHAIN}


def test_changed_scenario_files_renew_the_catalogue(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.tick()
    daemon.happens("task_catalog")
    daemon.tick()
    (tmp_path / "domains" / "file-io").mkdir(parents=True)
    (tmp_path / "domains" / "file-io" / "mine.yaml").write_text("name: mine")
    monkeypatch.setenv("ISE_CATALOG", str(tmp_path))
    version = files_version()
    (catalogue,) = [asset for asset in daemon.defs.assets or () if asset.key == dg.AssetKey("task_catalog")]
    changed = catalogue.map_asset_specs(lambda spec: spec.replace_attributes(code_version=version))
    daemon.defs = dg.Definitions(assets=[changed], resources=daemon.defs.resources)
    assert daemon.tick() == {"task_catalog": {None}}
    assert daemon.tick() == {}
