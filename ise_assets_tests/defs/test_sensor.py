"""A persona list dropped into the watched folder is noticed once, whatever its name."""

from pathlib import Path

import dagster as dg
import pytest

from ise_assets.defs.sensors import persona_lists
from ise_assets.intent.personas import take_in
from ise_assets.settings import Settings
from ise_assets.stage import StageRun
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
    take_in(StageRun(Warehouse(settings.warehouse_path), settings, "run"))
    assert isinstance(persona_lists(dg.build_sensor_context()), dg.SkipReason)
