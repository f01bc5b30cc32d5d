"""Scenario files: errors name the file, the key and the reason; unchanged files are parsed once a process."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ise_assets.intent import catalog as room
from ise_assets.intent.catalog import SHIPPED, CatalogError, load_catalog, load_task, record_catalog, tasks_by_hash
from ise_assets.intent.models import DOMAINS, Task
from ise_assets.settings import load_settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse

DOMAIN = "file-io"
NAME = "merge-the-ledgers"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of one's own with one scenario, named by ISE_CATALOG."""
    target = tmp_path / "mine" / "domains" / DOMAIN
    target.mkdir(parents=True)
    source = SHIPPED / "domains" / DOMAIN
    shutil.copyfile(source / f"{NAME}.yaml", target / f"{NAME}.yaml")
    shutil.copytree(source / NAME, target / NAME)
    monkeypatch.setenv("ISE_CATALOG", str(tmp_path / "mine"))
    return target


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title:", "titel:", ["titel", "Extra inputs are not permitted", "title", "Field required"]),
        (f"domain: {DOMAIN}", "domain: cooking", ["domain 'cooking' is not one of", "file-io"]),
        (f"name: {NAME}", "name: another-name", ["name and domain must be those of the file"]),
        ("tiers:", "tiers: [gigantic]\nwas_tiers:", ["tiers.0", "'simple', 'medium' or 'complex'"]),
        ("params:\n", "params:\n  one: {choice: [{items: 3}]}\n", ["params.one", "'items' is a method"]),
        ("reads: {", "reads: {clear: x, ", ["reads.clear", "'clear' is a method"]),
        ("title:", "title: [\n  unclosed\ntitle2:", ["line ", "not valid YAML"]),
        ("title:", "title: x\n\ttabbed: y\nother:", ["line ", "not valid YAML"]),
    ],
)
def test_a_wrong_scenario_names_file_key_and_reason(folder: Path, old: str, new: str, words: list[str]) -> None:
    path = folder / f"{NAME}.yaml"
    if old == "tiers:" and old not in path.read_text():
        edit(path, "title:", "tiers: [simple]\ntitle:")
    edit(path, old, new)
    with pytest.raises(CatalogError) as caught:
        load_catalog()
    assert [word for word in (str(path), *words) if word not in str(caught.value)] == []


def test_a_scenario_that_is_no_mapping_or_no_utf8_is_named(folder: Path) -> None:
    path = folder / f"{NAME}.yaml"
    path.write_text("- a\n- list\n")
    with pytest.raises(CatalogError, match=rf"{NAME}\.yaml: a scenario is a mapping"):
        load_task(path)
    path.write_bytes(b"title: \xff\xfe\n")
    with pytest.raises(CatalogError, match=rf"{NAME}\.yaml: not valid YAML"):
        load_task(path)


def test_a_script_that_is_not_beside_the_yaml_is_named(folder: Path) -> None:
    shutil.rmtree(folder / NAME)
    with pytest.raises(CatalogError, match=rf"{NAME}\.yaml: scenario: .*script not found beside the YAML"):
        load_catalog()


def test_a_folder_without_scenarios_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISE_CATALOG", str(tmp_path))
    with pytest.raises(CatalogError, match=r"there is no folder .*domains"):
        load_catalog()


def test_an_unchanged_file_is_parsed_once_and_a_changed_one_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    real = room.load_task
    monkeypatch.setattr(room, "load_task", lambda path: (parsed.append(path.name), real(path))[1])
    first = load_catalog()
    parsed.clear()
    assert load_catalog() == first and parsed == []
    edit(folder / f"{NAME}.yaml", "title:", "title: Quite another title\nwas: x\n#")
    edit(folder / f"{NAME}.yaml", "was: x\n", "")
    assert load_catalog()[NAME].title == "Quite another title" and parsed == [f"{NAME}.yaml"]
    script = next((folder / NAME).glob("*.py"))
    script.write_text(script.read_text() + "\n# changed\n")
    assert load_catalog()[NAME].content_hash != first[NAME].content_hash
    assert parsed == [f"{NAME}.yaml"] * 2
    stat = script.stat()
    os.utime(script, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    load_catalog()
    assert len(parsed) == 3


def test_the_fast_parser_reads_what_the_plain_one_reads() -> None:
    for path in sorted((SHIPPED / "domains").glob("*/*.yaml")):
        text = path.read_text(encoding="utf-8")
        assert yaml.load(text, Loader=room._LOADER) == yaml.safe_load(text), path


def test_all_versions_ever_used_stay_and_one_is_current(folder: Path, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "data")
    run = StageRun(Warehouse.of(settings), settings, "run")
    record_catalog(run)
    old = load_catalog()[NAME].content_hash
    edit(folder / f"{NAME}.yaml", "title:", "title: Renamed\n#")
    record_catalog(run)
    new = load_catalog()[NAME].content_hash
    rows = run.warehouse.rows("SELECT content_hash, current FROM task_catalog WHERE name = ?", [NAME])
    assert {row["content_hash"]: row["current"] for row in rows} == {old: False, new: True}
    assert tasks_by_hash(run.warehouse, [old, new])[new].title == "Renamed"
    with pytest.raises(CatalogError, match="task_catalog lacks the versions nowhere"):
        tasks_by_hash(run.warehouse, ["nowhere"])


def test_a_changed_copy_of_a_scenario_has_another_identity_and_an_equal_one_the_same() -> None:
    task = next(iter(load_catalog().values()))
    known = task.content_hash
    assert task.model_copy(update={"title": f"{task.title}, again"}).content_hash != known
    assert task.model_copy().content_hash == known == Task.model_validate(task.model_dump(by_alias=True)).content_hash


def test_the_shipped_catalogue_is_as_large_as_promised_and_no_scenario_has_a_single_way() -> None:
    catalog = load_catalog()
    counts = Counter(task.domain for task in catalog.values())
    assert len(catalog) >= 131
    assert min(counts[domain] for domain in DOMAINS) >= 12
    assert [name for name, task in catalog.items() if len(task.other_ways) < 2 or len(task.wrong_ways) < 2] == []
