"""Intents that others wrote: read with suspicion, put into the pool once, run without a seed, never called accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ise_assets.intent.asked import DEFAULT_DOMAIN, SOMEBODY, asked_intents, read_asked
from ise_assets.intent.models import DOMAINS
from ise_assets.intent.persona_pool import load_personas, pending_lists, take_in
from ise_assets.intent.pool import load_intents, write_intents
from ise_assets.settings import Settings, load_settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse

PERSONA = {
    "name": "Vera Osei",
    "role": "archivist",
    "industry": "museums",
    "expertise": ["cataloguing"],
    "experience_level": "senior",
    "communication_style": "short and direct",
    "work_context": "I look after the photographs of a small museum.",
}
ISE_LINE = {
    "id": "i-1",
    "natural_language_intent": "Rename the scans in ~/scans by their dates, then tell me which have none.",
    "domains": ["file_io", "multimedia"],
    "tasks": ["batch_rename"],
    "persona_id": "p-1",
    "complexity": "complex",
    "metadata": {"persona": PERSONA, "domains": []},
}


def write(path: Path, *lines: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), encoding="utf-8")
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path, shipped_personas=False)


def run(settings: Settings, name: str = "run") -> StageRun:
    return StageRun(Warehouse.of(settings), settings, name)


def test_an_intent_of_ise_keeps_its_words_its_person_and_its_domains(tmp_path: Path) -> None:
    found = read_asked(write(tmp_path / "intents.jsonl", ISE_LINE))
    ((persona, intent),) = found.intents
    assert found.problems == []
    assert (persona.name, persona.persona_list) == ("Vera Osei", "intents.jsonl")
    assert (intent.utterance, intent.complexity) == (ISE_LINE["natural_language_intent"], "complex")
    assert (intent.domain, intent.domains) == ("file-io", ("file-io", "multimedia"))
    assert (intent.seed, intent.acceptance, intent.tasks) == ((), (), ())
    assert [subgoal["says"] for subgoal in intent.subgoals] == [[intent.utterance]]


def test_lines_with_a_query_or_a_question_are_asked_by_somebody(tmp_path: Path) -> None:
    found = read_asked(
        write(
            tmp_path / "q.jsonl",
            {"query": "How many CSV files are in ~/data?", "domain": "File IO"},
            {"question": "Which process listens on port 8080?", "answer": "nginx"},
        )
    )
    assert [intent.domain for _, intent in found.intents] == ["file-io", DEFAULT_DOMAIN]
    assert {persona.id for persona, _ in found.intents} == {SOMEBODY.id}
    assert found.as_persona_list().notes == ["2 of 2 intents do not say who asks"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{broken", "broken JSON"),
        ("[1]", "a JSON object was expected"),
        ({"text": "x"}, "none of the fields natural_language_intent"),
        ({"query": 3}, "query must be text"),
        ({"query": "  "}, "query is empty"),
        ({"query": "x" * 8_001}, "8001 characters"),
        ({"query": "a\u202eb"}, "control character U+202E"),
        ({"query": "x", "domain": "cooking"}, "'cooking' is no domain"),
        ({"query": "x", "persona": {"name": "Vera"}}, "persona: missing role"),
        ({"query": "x", "persona": "Vera"}, "the persona is no object"),
        ({"query": "good"}, "the same as line 1"),
    ],
)
def test_a_bad_line_is_named_and_the_good_ones_are_taken(tmp_path: Path, line: Any, reason: str) -> None:
    found = read_asked(write(tmp_path / "q.jsonl", {"query": "good"}, line))
    assert [intent.utterance for _, intent in found.intents] == ["good"]
    ((problem),) = found.problems
    assert problem.line == 2 and reason in problem.reason and problem.remedy


def test_imported_intents_go_into_the_pool_once_with_those_who_ask(settings: Settings) -> None:
    write(settings.intents_dir / "ise.jsonl", ISE_LINE)
    write(settings.intents_dir / "q.jsonl", {"query": "List what changed in ~/site since Monday.", "domain": "file-io"})
    assert [path.name for path, _ in pending_lists(settings.intents_dir, Warehouse.of(settings))] == [
        "ise.jsonl",
        "q.jsonl",
    ]
    take_in(run(settings))
    assert pending_lists(settings.intents_dir, Warehouse.of(settings)) == []
    assert {persona.name for persona in load_personas(Warehouse.of(settings))} == {"Vera Osei", "Somebody"}

    first = write_intents(run(settings, "one"), "file-io")
    assert (first["imported"], first["imported_words_in_the_pool_already"]) == (2, 0)
    second = write_intents(run(settings, "two"), "file-io")
    assert (second["imported"], second["new_intents"]) == (0, 0)
    ids = [intent.id for intent in asked_intents(settings.intents_dir, "file-io")]
    stored = load_intents(Warehouse.of(settings), ids)
    assert [(intent.writer_model, intent.acceptance) for intent in stored] == [("imported", ())] * 2


def test_the_same_words_in_another_file_are_not_asked_twice(settings: Settings) -> None:
    write(settings.intents_dir / "a.jsonl", {"query": "Which log grew most?", "domain": "file-io"})
    take_in(run(settings))
    write_intents(run(settings), "file-io")
    write(settings.intents_dir / "b.jsonl", {"query": "Which log grew most?", "domain": "file-io", "persona": PERSONA})
    take_in(run(settings))
    assert write_intents(run(settings), "file-io")["imported_words_in_the_pool_already"] == 1


def test_nothing_is_drawn_for_somebody(settings: Settings) -> None:
    write(settings.intents_dir / "q.jsonl", {"query": "Which log grew most?", "domain": "file-io"})
    take_in(run(settings))
    summaries = [write_intents(run(settings), domain) for domain in DOMAINS]
    assert sum(summary["new_intents"] for summary in summaries) == 1
