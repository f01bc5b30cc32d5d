"""A persona list dropped into the watched folder is noticed once, whatever its name."""

from pathlib import Path

import dagster as dg
import pytest

from ise_assets.defs.sensors import go_on, persona_lists
from ise_assets.intent.persona_pool import take_in
from ise_assets.settings import Settings
from ise_assets.stage import OUT_OF_MONEY, OUT_OF_TIME, StageRun
from ise_assets.warehouse import Warehouse

ROW = (
    '{"name": "Ida Roth", "role": "harbour pilot", "industry": "shipping", "expertise": ["tides"], '
    '"experience_level": "senior", "communication_style": "terse", "work_context": "Night shifts at the lock."}\n'
)


def test_a_new_list_is_requested_until_it_is_in_the_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISE_HOME", str(tmp_path))
    settings = Settings(home=tmp_path)
    assert isinstance(persona_lists(dg.build_sensor_context()), dg.SkipReason)
    settings.personas_dir.mkdir()
    (settings.personas_dir / "mine.jsonl").write_text(ROW)
    result = persona_lists(dg.build_sensor_context())
    assert isinstance(result, dg.SensorResult)
    assert next(iter(result.run_requests or ())).run_key.startswith("mine.jsonl ")
    take_in(StageRun(Warehouse.of(settings), settings, "run"))
    assert isinstance(persona_lists(dg.build_sensor_context()), dg.SkipReason)


def test_what_ended_for_want_of_time_is_gone_on_with_once_and_what_cost_too_much_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ends(asset: str, domain: str, stopped_by: str | None) -> None:
        text = dg.MetadataValue.text(stopped_by or "none")
        event = dg.AssetMaterialization(asset, partition=domain, metadata={"stopped_by": text})
        instance.report_runless_asset_event(event)

    with dg.DagsterInstance.ephemeral() as instance:

        def asked() -> list[tuple[str, str]]:
            context = dg.build_sensor_context(instance=instance)
            result = go_on(context)
            requests = result.run_requests if isinstance(result, dg.SensorResult) else []
            return [(r.asset_selection[0].to_user_string(), r.partition_key) for r in requests]

        assert asked() == []
        ends("simulated_dialogues", "file-io", OUT_OF_TIME)
        ends("simulated_dialogues", "multimedia", OUT_OF_MONEY)
        ends("simulated_dialogues", "source-chain", None)
        ends("intent_pool", "source-chain", OUT_OF_TIME)
        assert asked() == [("intent_pool", "source-chain"), ("simulated_dialogues", "file-io")]
        monkeypatch.setenv("ISE_AGENT_MODEL", "openai/some-model")
        assert asked() == []
        monkeypatch.setenv("ISE_ALLOW_PAID_AUTOMATION", "true")
        assert len(asked()) == 2
        ends("simulated_dialogues", "file-io", None)
        assert asked() == [("intent_pool", "source-chain")]
