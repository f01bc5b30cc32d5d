"""The graph that people see: names, edges, partitions, checks, what starts by itself."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from ise_assets.definitions import defs
from ise_assets.defs.partitions import domains
from ise_assets.defs.schedules import nightly_refresh, tidy
from ise_assets.defs.stage import Pipeline, value_of
from ise_assets.intent.models import DOMAINS

EDGES = {
    "persona_pool": set(),
    "task_catalog": set(),
    "intent_pool": {"persona_pool", "task_catalog"},
    "intent_embeddings": {"intent_pool"},
    "deduped_pool": {"intent_embeddings"},
    "diversity_report": {"deduped_pool"},
    "pool_diversity": {"deduped_pool"},
    "simulated_dialogues": {"deduped_pool"},
    "executed_traces": {"simulated_dialogues"},
    "sft_split": {"executed_traces"},
}
UNPARTITIONED = {"persona_pool", "task_catalog", "pool_diversity"}


@pytest.fixture(scope="module")
def graph() -> AssetGraph:
    return defs().resolve_asset_graph()


def test_the_assets_and_their_edges_are_those_of_the_design(graph: AssetGraph) -> None:
    found = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.materializable_asset_keys
    }
    assert found == EDGES


def test_all_but_the_lists_the_catalogue_and_the_pool_report_are_partitioned_by_domain(graph: AssetGraph) -> None:
    for key in graph.materializable_asset_keys:
        expected = None if key.to_user_string() in UNPARTITIONED else domains
        assert graph.get(key).partitions_def == expected, key
    assert domains.get_partition_keys() == list(DOMAINS)


def test_every_asset_has_a_description_a_group_and_a_check_or_a_report(graph: AssetGraph) -> None:
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.description
        assert node.group_name in ("intent", "simulate", "execute", "train")
        assert node.freshness_policy_or_from_metadata is not None


def test_every_asset_names_its_table_and_the_columns(graph: AssetGraph) -> None:
    for key in graph.materializable_asset_keys:
        metadata = graph.get(key).metadata
        columns = [column.name for column in metadata["dagster/column_schema"].schema.columns]
        assert metadata["dagster/table_name"].value == f"main.{key.to_user_string()}"
        assert {"run_id", "written_at"} < set(columns)
        assert ("domain" in columns) == (key.to_user_string() not in UNPARTITIONED - {"task_catalog"})


def test_checks_are_partitioned_like_their_assets_and_most_of_them_block(graph: AssetGraph) -> None:
    keys = graph.asset_check_keys
    assert len(keys) == 19
    blocking = [key for key in keys if graph.get_check_spec(key).blocking]
    assert {key.name for key in keys} - {key.name for key in blocking} == {
        "accepted_enough",
        "diverse_enough",
        "every_row_taken",
        "like_ise",
    }


def test_the_sensors_run_by_default() -> None:
    sensors = {sensor.name: sensor for sensor in defs().sensors or ()}
    assert set(sensors) == {"persona_lists", "carry_on", "go_on"}
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in sensors.values())


def test_paid_models_do_not_start_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    from ise_assets.defs.automation import flow_unless_paid

    assert flow_unless_paid() is not None
    monkeypatch.setenv("ISE_AGENT_MODEL", "openai/some-model")
    assert flow_unless_paid() is None
    monkeypatch.setenv("ISE_ALLOW_PAID_AUTOMATION", "true")
    assert flow_unless_paid() is not None


def test_metadata_shows_figures_tables_and_text_as_what_they_are() -> None:
    assert isinstance(value_of("n", 3), dg.IntMetadataValue)
    assert isinstance(value_of("mean", 0.5), dg.FloatMetadataValue)
    assert isinstance(value_of("by_domain", {"a": 1}), dg.JsonMetadataValue)
    assert isinstance(value_of("note", "<script>"), dg.TextMetadataValue)
    assert isinstance(value_of("malformed_example", "two\n# lines"), dg.TextMetadataValue)
    assert isinstance(value_of("problem_report", "| file |"), dg.MarkdownMetadataValue)
    assert value_of("nothing", None).value == "none"


def test_lineage_names_columns_that_exist(graph: AssetGraph) -> None:
    from ise_assets.defs.tables import lineage

    columns = {
        key.to_user_string(): {
            column.name for column in graph.get(key).metadata["dagster/column_schema"].schema.columns
        }
        for key in graph.materializable_asset_keys
    }
    told = lineage("sft_split")
    assert told is not None
    assert set(told.deps_by_column) == columns["sft_split"] - {"tokenizer", "run_id", "spec_hash", "written_at"}
    for deps in told.deps_by_column.values():
        assert deps
        for dep in deps:
            assert dep.column_name in columns[dep.asset_key.to_user_string()]
    assert lineage("persona_pool") is None


def test_the_schedules_are_off_until_somebody_turns_them_on() -> None:
    schedules = {schedule.name: schedule for schedule in defs().schedules or ()}
    assert set(schedules) == {"nightly_refresh", "weekly_report", "weekly_tidy"}
    assert all(schedule.default_status == dg.DefaultScheduleStatus.STOPPED for schedule in schedules.values())


def test_a_night_runs_every_domain_once_and_spends_nothing_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    night = datetime(2026, 6, 11, 2, tzinfo=UTC)

    with dg.build_schedule_context(scheduled_execution_time=night) as context:
        asked = nightly_refresh(context)
        assert isinstance(asked, list)
        assert [(request.run_key, request.partition_key) for request in asked] == [
            (f"2026-06-11 {domain}", domain) for domain in DOMAINS
        ]
        monkeypatch.setenv("ISE_AGENT_MODEL", "openai/gpt-x")
        assert isinstance(nightly_refresh(context), dg.SkipReason)


def test_the_upkeep_of_a_file_says_that_there_is_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISE_HOME", str(tmp_path))
    result = tidy.execute_in_process(resources={"pipeline": Pipeline()})
    assert result.success
