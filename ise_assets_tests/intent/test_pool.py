"""The pool: a pure function of the seed that only grows, and never pays twice for an utterance."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ise_assets.intent import catalog as catalog_room
from ise_assets.intent import pool as room
from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import DOMAINS, Persona
from ise_assets.intent.persona_pool import take_in
from ise_assets.intent.pool import build_intent, load_intents, plan_intent, write_intents
from ise_assets.intent.sampler import combinations, sample_frame
from ise_assets.intent.writer import Utterance, compose
from ise_assets.journal import Journal
from ise_assets.llm import ModelError
from ise_assets.settings import PROJECT, SCRIPTED_MODEL, load_settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse
from ise_assets_tests.intent.model_server import Messages, good, model_server
from ise_assets_tests.pipeline import person, until

DOMAIN = "file-io"
POOL = "SELECT * EXCLUDE (run_id, written_at) FROM intent_pool ORDER BY id"


def pool_run(home: Path, people: int = 6, **overrides: Any) -> StageRun:
    """A run over a pool of invented people."""
    given = {"shipped_personas": False, "intents_per_persona": 3, **overrides}
    settings = load_settings(home=home, **given)
    run = StageRun(Warehouse.of(settings), settings, "run-1")
    add_people(run, "list.jsonl", range(people))
    return run


def add_people(run: StageRun, name: str, numbers: range) -> None:
    folder = run.settings.personas_dir
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(person(number)) + "\n" for number in numbers))
    take_in(run)


def test_the_same_seed_gives_the_same_pool_and_another_seed_another(tmp_path: Path) -> None:
    pools = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        run = pool_run(tmp_path / name, seed=seed)
        assert write_intents(run, DOMAIN)["new_intents"] > 0
        pools.append(run.warehouse.rows(POOL))
    assert pools[0] == pools[1]
    assert not {row["id"] for row in pools[0]} & {row["id"] for row in pools[2]}


@examples(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 50), st.integers(0, 3))
def test_an_intent_depends_on_seed_persona_and_number_alone(seed: int, number: int, k: int) -> None:
    persona = Persona(**person(number))
    built = []
    for _ in range(2):
        plan = plan_intent(sample_frame(seed, persona.id, k), persona, load_catalog())
        built.append(build_intent(plan, compose(plan.brief, plan.frame.intent_id), SCRIPTED_MODEL))
    assert built[0] == built[1]
    assert built[0].domain == built[0].domains[0] and set(built[0].domains) <= set(DOMAINS)
    assert len(set(built[0].tasks)) == len(built[0].tasks)


def test_the_summary_says_how_many_combinations_there_are_for_these_people(tmp_path: Path) -> None:
    summary = write_intents(pool_run(tmp_path, people=6), DOMAIN)
    assert summary["combinations"] == combinations(load_catalog(), personas=6)


def test_writing_again_writes_nothing(tmp_path: Path) -> None:
    run = pool_run(tmp_path)
    write_intents(run, DOMAIN)
    before = run.warehouse.rows("FROM intent_pool ORDER BY id")
    assert write_intents(replace(run, run_id="run-2"), DOMAIN)["new_intents"] == 0
    assert run.warehouse.rows("FROM intent_pool ORDER BY id") == before


def test_a_new_list_or_more_intents_per_persona_change_no_old_intent(tmp_path: Path) -> None:
    run = pool_run(tmp_path)
    write_intents(run, DOMAIN)
    before = {row["id"]: row for row in run.warehouse.rows("FROM intent_pool")}
    add_people(run, "more.jsonl", range(100, 130))
    assert write_intents(run, DOMAIN)["new_intents"] > 0
    more = replace(run, settings=run.settings.model_copy(update={"intents_per_persona": 6}))
    assert write_intents(more, DOMAIN)["new_intents"] > 0
    after = {row["id"]: row for row in run.warehouse.rows("FROM intent_pool")}
    assert {identity: after[identity] for identity in before} == before


def test_a_new_scenario_changes_no_old_intent_and_moves_none_to_another_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pool_run(tmp_path, people=12)
    write_intents(run, DOMAIN)
    before = run.warehouse.rows("FROM intent_pool ORDER BY id")
    path = next((catalog_room.SHIPPED / "domains" / DOMAIN).glob("*.yaml"))
    target = tmp_path / "catalog" / "domains" / DOMAIN
    target.mkdir(parents=True)
    (target / "brand-new.yaml").write_text(path.read_text().replace(f"name: {path.stem}", "name: brand-new", 1))
    if path.with_suffix("").is_dir():
        (target / "brand-new").symlink_to(path.with_suffix(""))
    monkeypatch.setenv("ISE_CATALOG", str(tmp_path / "catalog"))
    assert "brand-new" in load_catalog()
    assert write_intents(run, DOMAIN)["new_intents"] == 0
    add_people(run, "more.jsonl", range(100, 140))
    write_intents(run, DOMAIN)
    after = run.warehouse.rows("FROM intent_pool ORDER BY id")
    assert [row for row in after if row["id"] in {one["id"] for one in before}] == before
    assert any("brand-new" in row["tasks"] for row in after)


def test_utterances_are_unique_over_all_domains(tmp_path: Path) -> None:
    run = pool_run(tmp_path, people=10, intents_per_persona=3)
    for domain in DOMAINS:
        write_intents(run, domain)
    (row,) = run.warehouse.rows("SELECT count(*) AS n, count(DISTINCT utterance) AS texts FROM intent_pool")
    assert row["n"] == row["texts"] == 30


def test_an_utterance_that_is_taken_is_worded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = pool_run(tmp_path, intent_model="openai/parrot", model_retries=0)
    ask = "Hello, this is the very same sentence every time."
    monkeypatch.setattr(room, "write_utterance", _parrot(ask))
    write_intents(run, DOMAIN)
    rows = run.warehouse.rows(POOL)
    texts = [row["utterance"] for row in rows]
    assert len(texts) == len(set(texts)) >= 3 and texts.count(ask) == 1
    fallback = f"{SCRIPTED_MODEL} (fallback of openai/parrot)"
    assert {row["writer_model"] for row in rows if row["utterance"] != ask} == {fallback}


def _parrot(text: str) -> Any:
    async def write(*_: Any) -> Utterance:
        return Utterance(text, "openai/parrot")

    return write


def test_rows_come_back_as_the_intents_that_were_written(tmp_path: Path) -> None:
    run = pool_run(tmp_path)
    write_intents(run, DOMAIN)
    ids = [row["id"] for row in run.warehouse.rows(POOL)]
    found = load_intents(run.warehouse, [*reversed(ids), "unknown"])
    assert [intent.id for intent in found] == ids[::-1]
    assert all(intent.subgoals and intent.acceptance and intent.seed for intent in found)


_WRITER = """
import sys
from pathlib import Path
from ise_assets_tests.intent.test_pool import *
run = pool_run(Path(sys.argv[1]), intent_model="openai/writer", model_retries=0)
write_intents(run, DOMAIN)
"""


def test_after_a_kill_the_model_is_not_asked_again_for_what_it_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "journals" / "intent_pool" / f"{DOMAIN}.sqlite"

    def journaled() -> set[str]:
        if not database.exists():
            return set()
        with Journal(database) as journal:
            return journal.ids()

    def two_then_silence(messages: Messages) -> str | int:
        if server.number(messages) <= 2:
            return good(messages)
        until(lambda: process.poll() is not None, 120)
        return 500

    with model_server(monkeypatch, two_then_silence) as server:
        process = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], cwd=PROJECT)
        until(lambda: len(journaled()) >= 2, 90)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        paid = journaled()
        run = pool_run(tmp_path, intent_model="openai/writer", model_retries=0)
        assert run.warehouse.scalar("SELECT count(*) FROM intent_pool") == 0
    with model_server(monkeypatch, good) as server:
        summary = write_intents(run, DOMAIN)
    assert summary["new_intents"] == len(server.asked) + len(paid) and len(paid) == 2
    assert summary["writers"] == {"openai/writer": summary["new_intents"]}
    assert journaled() == set()
    calls = run.warehouse.rows("SELECT item_id, count(*) AS n FROM llm_calls WHERE outcome = 'ok' GROUP BY item_id")
    assert len(calls) == summary["new_intents"] and {row["n"] for row in calls} == {1}


def test_finished_utterances_are_stored_although_a_later_call_fails_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pool_run(tmp_path, people=10, intent_model="openai/writer", model_retries=0, max_concurrent_writers=2)

    def revoked(messages: Messages) -> str | int:
        return good(messages) if server.number(messages) <= 3 else 401

    with model_server(monkeypatch, revoked) as server:
        with pytest.raises(ModelError, match="openai/writer"):
            write_intents(run, DOMAIN)
        stored = run.warehouse.rows("FROM intent_pool ORDER BY id")
        assert len(stored) == 3 and {row["writer_model"] for row in stored} == {"openai/writer"}
        assert len(server.asked) <= 5  # nothing new is asked after the refusal
        outcomes = [row["outcome"] for row in run.warehouse.rows("SELECT outcome FROM llm_calls")]
        assert outcomes.count("ok") == 3 and outcomes.count("error") == len(server.asked) - 3 >= 1
        asked = len(server.asked)
        server.answer = good
        summary = write_intents(run, DOMAIN)
        assert summary["new_intents"] == len(server.asked) - asked == summary["intents"] - 3
    assert [row for row in run.warehouse.rows("FROM intent_pool ORDER BY id") if row in stored] == stored


def test_no_more_utterances_are_asked_for_at_once_than_the_setting_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pool_run(tmp_path, people=10, intent_model="openai/writer", max_concurrent_writers=3)
    lock, waiting, most = threading.Lock(), threading.Semaphore(0), 0
    inside = 0

    def slowly(messages: Messages) -> str:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == 3:
                waiting.release()
        waiting.acquire(timeout=0.5)
        with lock:
            inside -= 1
        waiting.release()
        return good(messages)

    with model_server(monkeypatch, slowly) as server:
        assert write_intents(run, DOMAIN)["new_intents"] == len(server.asked) >= 3
    assert most == 3


def test_calls_of_the_writer_model_keep_the_pace_of_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pool_run(tmp_path, people=10, intent_model="openai/writer", max_writer_calls_per_minute=300)
    came: list[float] = []

    def noted(messages: Messages) -> str:
        came.append(time.monotonic())
        return good(messages)

    with model_server(monkeypatch, noted):
        write_intents(run, DOMAIN)
    assert len(came) >= 3 and max(came) - min(came) > 0.9 * (len(came) - 1) * 60 / 300


def test_chunks_give_the_pool_that_one_piece_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pool_run(tmp_path / "whole", people=20)
    write_intents(whole, DOMAIN)
    monkeypatch.setattr(room, "_CHUNK", 2)
    pieces = pool_run(tmp_path / "pieces", people=20)
    told: list[tuple[int, int]] = []
    summary = write_intents(replace(pieces, progress=lambda done, total, what: told.append((done, total))), DOMAIN)
    assert pieces.warehouse.rows(POOL) == whole.warehouse.rows(POOL)
    assert summary["new_intents"] == len(whole.warehouse.rows(POOL)) > 4
    assert told == [(done, summary["new_intents"]) for done in range(summary["new_intents"] + 1)]


def test_when_the_time_is_up_the_rest_waits_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_CHUNK", 2)
    run = pool_run(tmp_path, people=20, max_minutes_per_run=1e-9)
    first = write_intents(run, DOMAIN)
    assert first["new_intents"] == 0 and first["remaining"] > 0
    rest = write_intents(replace(run, settings=run.settings.model_copy(update={"max_minutes_per_run": 0.0})), DOMAIN)
    assert (rest["new_intents"], rest["remaining"]) == (first["remaining"], 0)


@pytest.mark.long
def test_three_times_the_intents_take_three_times_as_long_and_no_more_memory(tmp_path: Path) -> None:
    cost = {}
    for count in (2 * room._SCRIPTED_CHUNK, 6 * room._SCRIPTED_CHUNK):  # one chunk is stored while the next is made
        run = pool_run(tmp_path / str(count), people=10, intents_per_persona=count)  # a tenth falls into the domain
        tracemalloc.start()
        began = time.process_time()
        written = write_intents(run, DOMAIN)["new_intents"]
        cost[count] = (time.process_time() - began, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert written == pytest.approx(count, rel=0.15)
    few, many = cost.values()
    assert many[0] < 4.5 * few[0]
    assert many[1] < 1.5 * few[1]
