"""What a writer model may say: bad answers go back with the reason, and the scripted writer stands in at last."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ise_assets.intent.models import REGISTERS, Persona
from ise_assets.intent.writer import MAX_UTTERANCE_CHARS, Brief, Utterance, compose, objections, write_utterance
from ise_assets.llm import Ledger, close_clients
from ise_assets.settings import SCRIPTED_MODEL, load_settings
from ise_assets_tests.intent.model_server import Messages, as_json, good, model_server

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


def write(patch: pytest.MonkeyPatch, *answers: str) -> tuple[Utterance, list[Messages], Ledger]:
    """What is written with a model that answers so, what it was asked, and what that cost."""
    queue = list(answers)
    ledger = Ledger()
    with model_server(patch, lambda messages: queue.pop(0) if len(queue) > 1 else queue[0]) as server:
        settings = load_settings(intent_model="openai/writer", model_retries=0)

        async def run() -> Utterance:
            try:
                return await write_utterance(BRIEF, "v", "i1", settings, ledger)
            finally:
                await close_clients()

        return asyncio.run(run()), server.asked, ledger


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("sure, here you go", "is not the JSON asked for"),
        ('{"text": "no such key"}', "is not the JSON asked for"),
        (as_json(f"{ASK} And look at /etc/secret.conf."), "names paths that do not exist: /etc/secret.conf"),
        (as_json("Please add up the month for me."), "must name may.csv"),
        (as_json("may.csv"), f"must have 20 to {MAX_UTTERANCE_CHARS} characters, has 7"),
        (as_json(f"I'd be happy to help. {ASK}"), "assistant's voice"),
    ],
)
def test_a_bad_answer_is_sent_back_with_the_reason_and_the_next_is_taken(
    bad: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, asked, ledger = write(monkeypatch, bad, as_json(GOOD))
    assert (written.text, written.writer_model) == (GOOD, "openai/writer")
    assert [message["role"] for message in asked[1]] == ["system", "user", "assistant", "user"]
    assert asked[1][2]["content"] == bad and reason in asked[1][3]["content"]
    assert [(call.role, call.item_id, call.outcome) for call in ledger.calls] == [("intent_writer", "i1", "ok")] * 2


def test_each_reason_is_told_and_after_three_tries_the_fallback_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    written, asked, ledger = write(monkeypatch, "not JSON", as_json(f"{ASK} /tmp/invented.txt"), as_json("too short"))
    assert len(asked) == len(ledger.calls) == 3
    assert "JSON" in asked[1][-1]["content"] and "/tmp/invented.txt" in asked[2][-1]["content"]
    assert written == Utterance(compose(BRIEF, "v"), f"{SCRIPTED_MODEL} (fallback of openai/writer)")


def test_json_in_a_code_fence_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    written, asked, _ = write(monkeypatch, f"```json\n{as_json(GOOD)}\n```")
    assert (written.text, len(asked)) == (GOOD, 1)


def test_what_the_model_is_told_suffices_for_a_good_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with model_server(monkeypatch, good) as server:
        settings = load_settings(intent_model="openai/writer", model_retries=0)
        written = asyncio.run(write_utterance(BRIEF, "v", "i1", settings, Ledger()))
    assert ASK in written.text and len(server.asked) == 1


@given(st.sampled_from(REGISTERS), st.text(max_size=20), st.integers(1, 4))
def test_the_scripted_writer_is_a_pure_function_and_satisfies_its_own_rules(
    register: Any, variant: str, aims: int
) -> None:
    brief = Brief(ADA, register, tuple(f"do thing {n}" for n in range(aims)), ASK, ("may.csv",))
    text = compose(brief, variant)
    assert text == compose(brief, variant)
    assert objections(text, brief) == []
