"""What a writer model may say: bad answers go back with the reason, and the scripted writer stands in at last."""

from __future__ import annotations

import asyncio
import random
import re
import runpy
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ise_assets.intent.catalog import load_catalog
from ise_assets.intent.models import DOMAINS, REGISTERS, Persona
from ise_assets.intent.personas import SHIPPED_LISTS, list_files, read_persona_list
from ise_assets.intent.pool import Plan, plan_intent
from ise_assets.intent.sampler import sample_frame
from ise_assets.intent.voices import Voice, voices, with_article, within_sentence
from ise_assets.intent.writer import MAX_UTTERANCE_CHARS, Brief, Utterance, compose, objections, write_utterance
from ise_assets.llm import Ledger, ModelError, ModelUnavailable, Pace, close_clients
from ise_assets.settings import PROJECT, SCRIPTED_MODEL, load_settings
from ise_assets.simulate.role_lock import drift_reasons
from ise_assets_tests.intent.model_server import Messages, Said, as_json, good, model_server

ADA = Persona(
    name="Ada Blackwood",
    role="night auditor",
    industry="hotels",
    expertise=("ledgers",),
    experience_level="senior",
    communication_style="terse",
    work_context="Closes the books of three hotels before six.",
)
ASK = "Add up /home/user/books/may.csv and write the total into /home/user/books/total.txt."
BRIEF = Brief(ADA, "plain", ("sum the ledger", "rename the scans"), ASK, ("may.csv",))
GOOD = f"Evening. {ASK}"


def write(patch: pytest.MonkeyPatch, *answers: Said, **knobs: int) -> tuple[Utterance, list[Messages], Ledger]:
    """What is written with a model that answers so, what it was asked, and what that cost."""
    queue = list(answers)
    ledger = Ledger()
    with model_server(patch, lambda messages: queue.pop(0) if len(queue) > 1 else queue[0]) as server:
        settings = load_settings(intent_model="openai/writer", model_retries=0, **knobs)

        async def run() -> Utterance:
            try:
                return await write_utterance(BRIEF, "v", "i1", settings, ledger, Pace(0))
            finally:
                await close_clients()

        return asyncio.run(run()), server.asked, ledger


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("sure, here you go", "is not the JSON asked for"),
        ("", "is not the JSON asked for"),
        ('{"text": "no such key"}', "is not the JSON asked for"),
        (as_json(f"{ASK} And look at /etc/secret.conf."), "names paths that do not exist: /etc/secret.conf"),
        (as_json(f"{ASK} Compare it with summary_final.xlsx."), "names paths that do not exist: summary_final.xlsx"),
        (as_json(f"{ASK} See https://books.example/may."), "names paths that do not exist: https://books.example/may"),
        (as_json("Please add up the month for me."), "must name may.csv"),
        (as_json("may.csv"), f"must have 20 to {MAX_UTTERANCE_CHARS} characters, has 7"),
        (as_json(ASK * 20), f"must have 20 to {MAX_UTTERANCE_CHARS} characters, has {20 * len(ASK)}"),
        (as_json(f"I'd be happy to help. {ASK}"), "assistant's voice"),
        (as_json(f"Sure, {ASK}"), "assistant's voice"),
        (as_json(f"{ASK} Regards, [Your Name]"), "a placeholder"),
        (as_json("Bitte rechne may.csv zusammen und schreibe die Summe sofort in eine neue Datei daneben."), "English"),
    ],
)
def test_a_bad_answer_is_sent_back_with_the_reason_and_the_next_is_taken(
    bad: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, asked, ledger = write(monkeypatch, bad, as_json(GOOD))
    assert (written.text, written.writer_model) == (GOOD, "openai/writer")
    assert [message["role"] for message in asked[1]] == ["system", "user", "assistant", "user"]
    assert asked[1][2]["content"] == (bad or "(nothing)") and reason in asked[1][3]["content"]
    assert [(call.role, call.item_id, call.outcome) for call in ledger.calls] == [("intent_writer", "i1", "ok")] * 2
    assert (ledger.prompt_tokens, ledger.completion_tokens) == (22, 14)


@pytest.mark.parametrize(
    "text",
    [
        "Additionne may.csv pour les trois hôtels et note le total dans un nouveau fichier à côté, s'il te plaît.",
        "Suma may.csv de los tres hoteles y anota el total en un archivo nuevo en la misma carpeta, por favor.",
        "Zsumuj may.csv dla trzech hoteli i zapisz wynik w nowym pliku obok, a potem powiedz mi, ile wyszło.",
        "Tel may.csv van de drie hotels op en schrijf het totaal in een nieuw bestand ernaast, alsjeblieft, dank je.",
    ],
)
def test_other_languages_are_told_from_english(text: str) -> None:
    assert objections(text, BRIEF) == ["is not in English"]


def test_each_reason_is_told_and_after_three_tries_the_fallback_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    written, asked, ledger = write(monkeypatch, "not JSON", as_json(f"{ASK} /tmp/invented.txt"), as_json("too short"))
    assert len(asked) == len(ledger.calls) == 3
    assert "JSON" in asked[1][-1]["content"] and "/tmp/invented.txt" in asked[2][-1]["content"]
    assert written == Utterance(compose(BRIEF, "v"), f"{SCRIPTED_MODEL} (fallback of openai/writer)")


@pytest.mark.parametrize("rewrites", [0, 4])
def test_the_setting_says_how_often_a_bad_answer_is_asked_for_again(
    rewrites: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, asked, _ = write(monkeypatch, "not JSON", intent_rewrites=rewrites)
    assert len(asked) == 1 + rewrites
    assert written.writer_model == f"{SCRIPTED_MODEL} (fallback of openai/writer)"


def test_content_that_the_provider_refuses_is_written_by_the_scripted_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = (400, {"message": "Invalid prompt: flagged as potentially violating our usage policy."})
    written, asked, ledger = write(monkeypatch, refusal)
    assert written == Utterance(compose(BRIEF, "v"), f"{SCRIPTED_MODEL} (fallback of openai/writer)")
    assert (len(asked), [call.outcome for call in ledger.calls]) == (1, ["error"])


@pytest.mark.parametrize(("status", "error"), [(401, ModelError), (400, ModelError), (503, ModelUnavailable)])
def test_a_model_that_cannot_be_called_is_no_reason_to_fall_back(
    status: int, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(error, match="openai/writer"):
        write(monkeypatch, status)


def test_json_in_a_code_fence_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    written, asked, _ = write(monkeypatch, f"```json\n{as_json(GOOD)}\n```")
    assert (written.text, len(asked)) == (GOOD, 1)


def test_what_the_model_is_told_suffices_for_a_good_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with model_server(monkeypatch, good) as server:
        settings = load_settings(intent_model="openai/writer", model_retries=0)
        written = asyncio.run(write_utterance(BRIEF, "v", "i1", settings, Ledger(), Pace(0)))
    assert ASK in written.text and len(server.asked) == 1
    schema = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == schema["required"] == ["utterance"]


@given(st.sampled_from(REGISTERS), st.text(max_size=20), st.integers(1, 4))
def test_the_scripted_writer_is_a_pure_function_and_satisfies_its_own_rules(
    register: Any, variant: str, aims: int
) -> None:
    brief = Brief(ADA, register, tuple(f"do thing {n}" for n in range(aims)), ASK, ("may.csv",))
    text = compose(brief, variant)
    assert text == compose(brief, variant)
    assert objections(text, brief) == []


def plans(count: int, seed: int = 7) -> list[Plan]:
    """Intents of the shipped people over the shipped scenarios."""
    people = [persona for path in list_files(SHIPPED_LISTS) for persona in read_persona_list(path).personas]
    catalog, rng = load_catalog(), random.Random(seed)
    drawn = [rng.choice(people) for _ in range(count)]
    return [plan_intent(sample_frame(seed, who.id, k), who, catalog) for k, who in enumerate(drawn)]


PLANS = plans(1_500)
TEXTS = [compose(plan.brief, plan.frame.intent_id) for plan in PLANS]


def test_what_the_scripted_writer_makes_of_the_catalogue_satisfies_the_rules_for_models() -> None:
    faults = [(text, found) for text, plan in zip(TEXTS, PLANS, strict=True) if (found := objections(text, plan.brief))]
    assert faults == []


def test_a_person_who_tells_their_situation_does_so_word_for_word_and_so_does_the_scenario() -> None:
    told = 0
    for text, plan in zip(TEXTS, PLANS, strict=True):
        assert plan.brief.first_ask in text
        told += plan.persona.work_context.casefold() in text.casefold()
    assert 0.8 < told / len(TEXTS) < 0.95


def test_no_opening_and_no_phrase_is_in_more_than_a_fiftieth_of_the_texts() -> None:
    openings = Counter(" ".join(text.casefold().split()[:4]) for text in TEXTS)
    scenarios = {" ".join(plan.brief.first_ask.casefold().split()[:4]) for plan in PLANS}
    shared = [(opening, count) for opening, count in openings.most_common(40) if opening not in scenarios]
    assert shared[0][1] <= len(TEXTS) / 50, shared[:3]
    frames = [frame for voice in voices().values() for name in Voice.model_fields for frame in getattr(voice, name)]
    pieces = {piece for frame in frames for piece in re.split(r"\{\w+\}", frame) if len(piece.split()) >= 4}
    counts = Counter(piece for piece in pieces for text in TEXTS if piece.casefold() in text.casefold())
    assert counts.most_common(1)[0][1] <= len(TEXTS) / 50, counts.most_common(3)


def test_no_opening_would_be_taken_for_an_assistant_by_the_role_lock() -> None:
    assert [(text, drift) for text in TEXTS if (drift := drift_reasons(text))] == []


@pytest.mark.parametrize("register", REGISTERS)
def test_a_situation_that_others_have_written_is_quoted_or_left_out_but_not_claimed(register: Any) -> None:
    brief = Brief(ADA, register, ("sum the ledger",), ASK, ("may.csv",))
    texts = [compose(brief, str(number)) for number in range(60)]
    assert any("closes the books of three hotels" in text.casefold() for text in texts)
    assert not any(text.startswith("Closes") for text in texts)


@pytest.mark.parametrize("register", REGISTERS)
def test_text_of_a_persona_that_is_long_or_holds_braces_does_no_harm(register: Any) -> None:
    odd = ADA.model_copy(update={"work_context": "My {s} {0} desk. " * 90, "expertise": ("{aim}",), "name": "Dr. {x}"})
    for number in range(30):
        text = compose(Brief(odd, register, ("sum the ledger",), ASK, ("may.csv",)), str(number))
        assert ASK in text and len(text) <= MAX_UTTERANCE_CHARS


@pytest.mark.parametrize(
    "said",
    [
        *("an hourly worker", "an e-commerce analyst", "an undergraduate", "an IT trainer", "an MRI nurse"),
        *("a university registrar", "a urologist", "a UX researcher", "a BBC-trained subtitler", "a 3-D printer"),
    ],
)
def test_roles_get_the_article_that_is_spoken(said: str) -> None:
    assert with_article(said.split(" ", 1)[1]) == said


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Software Engineer", "software engineer"),
        ("Accountant", "accountant"),
        ("HR Manager", "HR manager"),
        ("Nollywood line producer", "Nollywood line producer"),
        ("IT services", "IT services"),
    ],
)
def test_titles_lose_their_capitals_within_a_sentence_and_names_keep_them(title: str, said: str) -> None:
    assert within_sentence(title) == said


def test_a_phrase_with_an_unknown_slot_is_refused() -> None:
    frames = {name: ["x"] for name in Voice.model_fields}
    with pytest.raises(ValueError, match="no such slot: whom"):
        Voice.model_validate({**frames, "who": ["I know {whom}."]})


def test_the_sample_for_the_documentation_has_five_openings_of_each_domain() -> None:
    section = runpy.run_path(str(PROJECT / "docs" / "sample_utterances.py"))["section"](seed=7)
    assert re.findall(r"^### (.+)$", section, re.M) == list(DOMAINS)
    assert [part.count("\n> ") for part in section.split("\n### ")[1:]] == [5] * len(DOMAINS)
