"""A corpus with everything planted that must not come out: secrets, places, people, benchmark items, duplicates over the
splits, a persona in two lists. Nothing of it may survive, in the table or in any file of the export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from ise_assets.checks import no_persona_in_two_splits
from ise_assets.intent.models import content_hash
from ise_assets.intent.persona_pool import take_in
from ise_assets.intent.sampler import intent_id
from ise_assets.train import split
from ise_assets.train.checks import decontaminated, nothing_leaks_across, nothing_to_scrub, records_are_verbatim
from ise_assets.train.decontaminate import BenchmarkError
from ise_assets.train.scrub import Machine
from ise_assets.train.selection import split_of
from ise_assets.train.split import build_split
from ise_assets_tests.train.planted import Planted, machine, planted
from ise_assets_tests.train.world import World, dialogue, ugly_json

PROMPT = "The archive of the choir holds forty scanned scores without titles; read the first page of each and name the files by composer and work."
RUBRIC = "All forty files are renamed, the two scores by an unknown composer are called anonymous, and none of the scans was changed."
MISSED_AT_MOST = 2


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    folder = tmp_path / "benchmark" / "T7"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(f"prompt:\n  text: {PROMPT}\njudge_rubric: {RUBRIC}\n")
    (tmp_path / "benchmark" / "short.jsonl").write_text('{"prompt": "Sort the choir archive by year, oldest first."}\n')
    return tmp_path / "benchmark"


def _placed(one: Planted, who: str, number: int) -> list[dict[str, Any]]:
    """A session with the planted text in the user's turn, a tool's output, or a tool call."""
    messages = dialogue(who)
    if number % 3 == 0:
        messages[1]["content"] += f"\n{one.text}"
    elif number % 3 == 1:
        messages[3]["content"] += f"\n{one.text}"
    else:
        messages[2]["tool_calls"][0]["function"]["arguments"] = json.dumps({"command": f"cat <<X\n{one.text}\nX"})
    return messages


def _people(wanted: str) -> Iterator[str]:
    return (
        n for n in map("Person {}".format, range(5_000)) if split_of(content_hash("persona", n), (60, 20, 20)) == wanted
    )


def _everything(world: World) -> str:
    """All that the export folder and the tables of the train stage hold, as text."""
    folder = world.settings.exports_dir / "sft"
    texts = [path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix != ".parquet"]
    texts += [json.dumps(pq.read_table(path).to_pylist(), ensure_ascii=False) for path in folder.glob("*.parquet")]
    for table in ("sft_split", "preference_pairs"):
        texts.append(json.dumps(world.warehouse.rows(f"SELECT * FROM {table}"), ensure_ascii=False, default=str))
    return "\n".join(texts)


def test_nothing_planted_survives(
    world: World, benchmark: Path, monkeypatch: pytest.MonkeyPatch, exported: Callable[[], dict[str, bytes]]
) -> None:
    monkeypatch.setattr(split, "Machine", _Planted)
    monkeypatch.setattr("ise_assets.train.checks.Machine", _Planted)
    people, tested = _people("train"), _people("test")
    secrets = planted()
    rows: list[Any] = []
    for number, one in enumerate(secrets):
        who = next(people)
        rows += world._session(who, "file-io", 0, {"messages": ugly_json(_placed(one, who, number))})
    world._write(rows)

    contaminated = []
    for number, text in enumerate((PROMPT, RUBRIC, "sort the choir archive by year, oldest first")):
        who, messages = next(people), dialogue("somebody")
        messages[(1, 3, 8)[number]]["content"] = f"well: {text}"
        contaminated.append(world.session(who, messages=ugly_json(messages)))

    instance = json.dumps([{"task": "read-the-roster", "params": {"day": 4}}])
    leaking = [world.session(next(people), seed=instance)]
    held = world.session(next(tested), seed=instance)
    vectors = np.eye(2, 8)
    vectors[1] = 0.95 * vectors[0] + np.sqrt(1 - 0.95**2) * vectors[1]
    for who, vector in zip((next(tested), near := next(people)), vectors, strict=True):
        world.session(who)
        identity = intent_id(world.settings.seed, content_hash("persona", who), 0)
        row = {"intent_id": identity, "domain": "file-io", "model": world.settings.embedding_model}
        world.insert("intent_embeddings", ["intent_id"], row | {"vector": vector.tolist()})
    leaking.append(content_hash("dialogue", intent_id(world.settings.seed, content_hash("persona", near), 0), 0))

    monkeypatch.setattr("ise_assets.train.split.near_benchmarks", lambda run, domain, benchmarks: [])
    run = world.run(benchmarks=str(benchmark))
    summary = build_split(run, "file-io")
    assert summary["dropped"] == {"contaminated": 3, "leak_scenario": 1, "leak_utterance": 1}
    assert summary["records"] == len(secrets) + 2
    assert summary["contaminated"] == 3
    kept = {row["dialogue_id"] for row in world.warehouse.rows("SELECT dialogue_id FROM sft_split")}
    assert held in kept
    assert kept.isdisjoint(contaminated + leaking)

    everything = _everything(world)
    left = [one for one in secrets if one.secret in everything or json.dumps(one.secret)[1:-1] in everything]
    print(f"planted {len(secrets)} secrets, people and places, left {len(left)}: {[one.text for one in left]}")
    assert len(left) <= MISSED_AT_MOST
    assert all(one.kind == "secret: by its name" for one in left)
    assert PROMPT[:60] not in everything
    assert RUBRIC[:60] not in everything
    report = json.loads(Path(summary["decontamination_report"]).read_text())
    assert {Path(entry["item"].split("#")[0]).name for entry in report["found"]} == {"task.yaml", "short.jsonl:1"}
    assert report["tasks"] == 2

    for outcome in (
        records_are_verbatim(world.warehouse, "file-io"),
        decontaminated(world.warehouse, run.settings, "file-io"),
        nothing_leaks_across(world.warehouse, run.settings),
        nothing_to_scrub(world.warehouse, run.settings, "file-io"),
    ):
        assert outcome.passed, outcome.description
    before = exported()
    assert build_split(run, "file-io")["written"] == 0
    assert exported() == before


class _Planted:
    """Stands where the process would look at its own machine."""

    @staticmethod
    def here(settings: Any = None) -> Machine:
        return machine()


def test_checks_see_what_is_planted_afterwards(world: World, benchmark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ise_assets.train.checks.Machine", _Planted)
    monkeypatch.setattr("ise_assets.train.split.near_benchmarks", lambda run, domain, benchmarks: [])
    world.session("Ada")
    run = world.run(benchmarks=str(benchmark))
    build_split(run, "file-io")
    assert decontaminated(world.warehouse, run.settings, "file-io").passed
    assert nothing_to_scrub(world.warehouse, run.settings, "file-io").passed
    messages = dialogue("Ada")
    messages[1]["content"] = PROMPT
    world.warehouse.write(lambda c: c.execute("UPDATE sft_split SET messages = ?", [json.dumps(messages)]))
    assert not decontaminated(world.warehouse, run.settings, "file-io").passed
    messages[1]["content"] = "it is on kestrel-build-07, and the key is AKIA" + "Q7" * 8
    world.warehouse.write(lambda c: c.execute("UPDATE sft_split SET messages = ?", [json.dumps(messages)]))
    assert nothing_to_scrub(world.warehouse, run.settings, "file-io").metadata["found"] == {"host": 1, "secret": 1}
    assert not records_are_verbatim(world.warehouse, "file-io").passed


def test_benchmark_that_is_missing_stops_the_build_and_fails_the_check(world: World, tmp_path: Path) -> None:
    world.session("Ada")
    run = world.run(benchmarks=str(tmp_path / "gone"))
    with pytest.raises(BenchmarkError, match="gone"):
        build_split(run, "file-io")
    assert not decontaminated(world.warehouse, run.settings, "file-io").passed
    assert decontaminated(world.warehouse, world.settings, "file-io").metadata == {"benchmarks": 0}


def test_persona_in_two_lists_is_one_persona_in_one_split(world: World) -> None:
    person = {
        "name": "Ilse Brandt",
        "role": "choir librarian",
        "industry": "music",
        "expertise": ["scores"],
        "experience_level": "senior",
        "communication_style": "plain",
        "work_context": "Keeps the scores of a choir of ninety.",
    }
    world.settings.personas_dir.mkdir(parents=True)
    for name in ("one.jsonl", "two.jsonl"):
        (world.settings.personas_dir / name).write_text(json.dumps(person) + "\n")
    take_in(world.run("run-lists", shipped_personas=False))
    (row,) = world.warehouse.rows("SELECT id, persona_list FROM persona_pool")
    for k, domain in enumerate(("file-io", "multimedia")):
        world.session("Ilse", domain=domain, k=k, persona=False, persona_id=row["id"])
    for domain in ("file-io", "multimedia"):
        build_split(world.run(heldout_scenario_percent=0), domain)
    splits = world.warehouse.rows("SELECT DISTINCT split FROM sft_split")
    assert [entry["split"] for entry in splits] == [split_of(row["id"], (60, 20, 20))]
    assert no_persona_in_two_splits(world.warehouse).passed
