"""The export folder, read back as its consumers would."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from ise_assets.settings import load_settings
from ise_assets.stage import StageRun
from ise_assets.train import export
from ise_assets.train.formats.parquet import SCHEMA
from ise_assets.train.models import PERSONA_SPLITS, SPLITS
from ise_assets.train.split import build_split
from ise_assets.warehouse import Warehouse
from ise_assets_tests.train.world import TOOLS, World, dialogue, ugly_json


def _lines(world: World) -> dict[str, dict[str, Any]]:
    found = {}
    for split in SPLITS:
        text = (world.settings.exports_dir / "sft" / f"{split}.jsonl").read_text(encoding="utf-8")
        for line in text.split("\n")[:-1]:
            record = json.loads(line)
            assert record["split"] == split
            found[record["dialogue_id"]] = record
    return found


def _parquet(world: World) -> pa.Table:
    folder = world.settings.exports_dir / "sft"
    return pa.concat_tables([pq.read_table(folder / f"{split}.parquet") for split in SPLITS])


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value


def test_jsonl_gives_the_dialogues_back(twelve: World) -> None:
    build_split(twelve.run(), "file-io")
    records = _lines(twelve)
    sent = {row["id"]: row for row in twelve.warehouse.rows("SELECT id, messages, tools FROM simulated_dialogues")}
    assert records.keys() == sent.keys()
    for key, record in records.items():
        assert record["messages"] == json.loads(sent[key]["messages"])
        assert list(record["messages"][2]) == list(json.loads(sent[key]["messages"])[2])
        assert record["tools"] == TOOLS
        assert len(record["train_mask"]) == len(record["messages"])
        assert isinstance(record["messages"][2]["tool_calls"][0]["function"]["arguments"], str)


def test_parquet_gives_the_dialogues_back(twelve: World) -> None:
    build_split(twelve.run(), "file-io")
    table = _parquet(twelve)
    assert table.schema.equals(SCHEMA)
    lines = _lines(twelve)
    for row in table.to_pylist():
        line = lines[row["dialogue_id"]]
        assert _without_nulls(row["messages"]) == _without_nulls(line["messages"])
        assert json.loads(row["tools"]) == TOOLS
        assert row["train_mask"] == line["train_mask"]
        assert json.loads(row["provenance"]) == line["provenance"]
        assert (row["persona_id"], row["scripted"]) == (line["provenance"]["persona_id"], True)


def test_parquet_keeps_what_has_no_column(world: World) -> None:
    messages = dialogue("Ada")
    messages[2]["reasoning_content"] = "Where is it?"
    messages[4]["tool_calls"][0]["index"] = 0
    world.session("Ada", messages=ugly_json(messages))
    build_split(world.run(), "file-io")
    back = _parquet(world).to_pylist()[0]["messages"]
    assert json.loads(back[2]["extra"]) == {"reasoning_content": "Where is it?"}
    assert json.loads(back[4]["extra"]) == {"tool_calls": messages[4]["tool_calls"]}
    assert back[1]["extra"] is None


def test_pandas_reads_both_formats(twelve: World) -> None:
    build_split(twelve.run(), "file-io")
    folder = twelve.settings.exports_dir / "sft"
    for split in SPLITS:
        assert len(pd.read_parquet(folder / f"{split}.parquet")) == len(
            pd.read_json(folder / f"{split}.jsonl", lines=True)
        )


def test_records_are_ordered_by_id_and_every_split_has_some(twelve: World) -> None:
    summary = build_split(twelve.run(), "file-io")
    for split in PERSONA_SPLITS:
        table = pq.read_table(twelve.settings.exports_dir / "sft" / f"{split}.parquet")
        ids = table["id"].to_pylist()
        assert ids == sorted(ids)
        assert len(ids) == summary[split] > 0


def test_more_records_than_a_page_and_a_row_group_are_all_written(
    twelve: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_PAGE", 5)
    monkeypatch.setattr("ise_assets.train.split._PAGE", 5)
    monkeypatch.setattr("ise_assets.train.formats.parquet._ROWS_PER_GROUP", 3)
    assert build_split(twelve.run(), "file-io")["exported"] == 12
    assert len(set(_parquet(twelve)["id"].to_pylist())) == len(_lines(twelve)) == 12


def test_export_holds_all_domains_whichever_ran_last(world: World) -> None:
    world.session("Ada", domain="file-io")
    world.session("Bob", domain="multimedia")
    build_split(world.run(), "file-io")
    assert build_split(world.run(), "multimedia")["exported"] == 2
    assert {record["domain"] for record in _lines(world).values()} == {"file-io", "multimedia"}


def test_failed_export_leaves_the_old_files_whole(
    twelve: World, exported: Callable[[], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_split(twelve.run(), "file-io")
    before = exported()
    twelve.session("Clerk 99")

    def disk_full(warehouse: Warehouse) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(export, "dataset_card", disk_full)
        with pytest.raises(OSError, match="No space left"):
            build_split(twelve.run(), "file-io")
    assert {name: content for name, content in _files(twelve).items() if name != ".part"} == before
    assert build_split(twelve.run(), "file-io")["exported"] == 13
    assert ".part" not in exported()


def _files(world: World) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (world.settings.exports_dir / "sft").iterdir() if p.is_file()}


def _build(home: Path, domain: str) -> None:
    settings = load_settings(home=home, split_percent=(60, 20, 20))
    build_split(StageRun(Warehouse.of(settings), settings, f"run-{domain}"), domain)


def test_partitions_in_several_processes_lose_no_record(world: World) -> None:
    domains = ["file-io", "multimedia", "code-runtime"]
    for domain in domains:
        world.session(f"Ada of {domain}", domain=domain)
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_build, args=(world.settings.home, domain)) for domain in domains]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert {record["domain"] for record in _lines(world).values()} == set(domains)


def _card(world: World) -> tuple[dict[str, Any], str]:
    text = (world.settings.exports_dir / "sft" / "README.md").read_text(encoding="utf-8")
    _, header, body = text.split("---\n", 2)
    return yaml.safe_load(header), body


def test_card_maps_the_splits_to_files_that_exist(twelve: World) -> None:
    build_split(twelve.run(), "file-io")
    header, _ = _card(twelve)
    assert header["license"] == "mit"
    assert header["language"] == ["en"]
    assert header["size_categories"] == ["n<1K"]
    assert header["task_categories"] == ["text-generation"]
    assert "scripted" in header["tags"]
    files = header["configs"][0]["data_files"]
    assert [entry["split"] for entry in files] == list(PERSONA_SPLITS)
    for entry in files:
        assert pq.read_metadata(twelve.settings.exports_dir / "sft" / entry["path"]).num_rows > 0


def test_card_says_what_the_tables_say(twelve: World) -> None:
    twelve.session("Rejected", accepted=False)
    summary = build_split(twelve.run(), "file-io")
    _, body = _card(twelve)
    assert "| sessions simulated | 13 |" in body
    assert "| accepted (of all) | 12 (92.3%) |" in body
    assert f"| in train | {summary['train']} |" in body
    assert f"| tokens | {summary['tokens_total']} |" in body
    assert "36 tool calls; 12 failed" in body
    assert "| not_found | 12 |" in body
    assert "| file-io | 13 | 12 (92.3%) | 12 |" in body
    assert "All of these records" in body
    assert "authored behaviour" in body
    assert "no measure of data quality" in body


def test_card_of_real_models_is_not_called_scripted(world: World) -> None:
    real: dict[str, Any] = {"writer_model": "openai/a", "user_model": "openai/b", "agent_model": "openai/c"}
    world.session("Ada", **real)
    build_split(world.run(), "file-io")
    header, body = _card(world)
    assert (header["license"], header["license_name"]) == ("other", "terms-of-the-models-used")
    assert "scripted" not in header["tags"]
    assert "authored" not in body
    world.session("Bob", **real | {"user_model": "scripted/teacher"})
    build_split(world.run(), "file-io")
    _, body = _card(world)
    assert "1 of 2 of these records hold turns of the scripted teacher (user)" in body
