"""What goes wrong is said in the run's failure, before any work and with what to do."""

from pathlib import Path

import dagster as dg
import pytest

from ise_assets.definitions import defs


def failure_of(asset: str, partition: str) -> str:
    definitions = defs()
    result = dg.materialize(
        [*(definitions.assets or ()), *(definitions.asset_checks or ())],
        selection=dg.AssetSelection.assets(asset),
        partition_key=partition,
        resources=definitions.resources,
        raise_on_error=False,
    )
    assert not result.success
    (event,) = result.get_step_failure_events()
    data = event.step_failure_data
    assert data.user_failure_data is not None
    return data.user_failure_data.description or ""


@pytest.fixture(autouse=True)
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISE_HOME", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_without_personas_the_failure_says_what_to_materialize() -> None:
    assert "materialize persona_pool" in failure_of("intent_pool", "file-io")


@pytest.mark.parametrize(
    ("model", "said"),
    [("openai/gpt-x", "OPENAI_API_KEY is not set"), ("nobody/knows", "unknown model provider")],
)
@pytest.mark.parametrize("asset", ["intent_pool", "simulated_dialogues"])
def test_a_model_that_cannot_be_called_fails_before_any_work(
    asset: str, model: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ISE_AGENT_MODEL", model)
    assert said in failure_of(asset, "file-io")
    assert not (tmp_path / "ise.duckdb").exists()
