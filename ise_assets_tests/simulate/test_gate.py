"""What a badly behaved user model gets past the gate: drift, leaks and invented paths, over thousands of its turns."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute.models import FileChange
from ise_assets.intent.models import Intent, Persona
from ise_assets.llm import Ledger
from ise_assets.settings import Settings
from ise_assets.simulate.knowledge import given_away, invented_paths, known_to_the_solution_alone
from ise_assets.simulate.role_lock import drift_reasons
from ise_assets.simulate.user import Observation, UserSimulator
from ise_assets_tests.simulate.ledger_session import ROOT, make_intent, turn

LABELLED = [json.loads(line) for line in Path(__file__).with_name("role_lock.jsonl").read_text("utf-8").splitlines()]
DRIFTED = sorted({row["text"] for row in LABELLED if row["drifted"]})
TRUTHS = {"0": {"total": "84.117", "culprit": "frey@harbour.example"}}
LEAKS = ("It should come to 84.117, I think.", "I bet frey@harbour.example is behind it.", "Isn't it 84.117?")
INVENTED = ("Look at /srv/accounts/2019.xlsx too.", "It is all in ~/private/keys.txt.")


class BadUser:
    """A user model that drifts, leaks and invents: `bad` of its turns, whether they are asked for the first time or again."""

    def __init__(self, seed: int, bad: float) -> None:
        self.rng, self.bad, self.said, self.count = random.Random(seed), bad, Counter[str](), 0

    def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        self.count += 1
        kind, text = "fine", f"Thanks, go on with the ledger please ({self.count})."
        if self.rng.random() < self.bad:
            kind = self.rng.choice(("drift", "drift", "drift", "leak", "path"))
            text = self.rng.choice({"drift": DRIFTED, "leak": LEAKS, "path": INVENTED}[kind])
        self.said[kind] += 1
        return {"role": "assistant", "content": turn(text, "0.total")}


def play(intent: Intent, persona: Persona, settings: Settings, turns: int, seed: int) -> tuple[BadUser, UserSimulator]:
    """So many turns of one session with a bad user model."""
    script = BadUser(seed, 0.3)
    hidden = known_to_the_solution_alone(intent, TRUTHS)
    user = UserSimulator(intent, persona, settings, Ledger(), "d", script=script, hidden=hidden)

    async def talk() -> None:
        user.say_first()
        for _ in range(turns):
            seen = FileChange(f"{ROOT}/total.txt", "added", 3)
            await user.next_turn("I looked at the ledger.", Observation([(seen, "42\n")]))

    asyncio.run(talk())
    return script, user


def test_of_thousands_of_turns_of_a_drifting_simulator_next_to_none_gets_through(
    persona: Persona, make_settings: Callable[..., Settings]
) -> None:
    settings, said, passed, flagged, turns = make_settings(), Counter[str](), Counter[str](), 0, 0
    for session in range(260):
        script, user = play(make_intent(session), persona, settings, 8, session)
        said += script.said
        flagged += user.drift_turns
        delivered = [json.loads(m["content"])["message"] for m in user.messages if m["role"] == "assistant"]
        turns += len(delivered) - 1
        for text in delivered:
            kinds = {"drift": text in DRIFTED, "leak": text in LEAKS, "path": text in INVENTED}
            passed += Counter(kind for kind, was in kinds.items() if was)
    print(f"{turns} turns; written {dict(said)}; through the gate {dict(passed)}")
    assert turns == 2_080 and said["drift"] > 300 and said["leak"] > 100 and said["path"] > 100
    assert passed["leak"] == passed["path"] == 0
    assert passed["drift"] <= 0.0002 * turns
    assert 0.1 < flagged / turns < 0.3


def test_a_user_may_say_what_it_was_told_or_has_seen(persona: Persona, make_settings: Callable[..., Settings]) -> None:
    intent = make_intent()
    hidden = known_to_the_solution_alone(intent, TRUTHS)
    assert hidden == {"84.117", "frey@harbour.example"}
    assert given_away("So 84.117 it is.", hidden, "the agent: it comes to 84.117") == []
    assert given_away("So 84.117 it is.", hidden, "the agent: it comes to 84") == ["84.117"]
    assert invented_paths(f"Put it into {ROOT}/total.txt, not into /tmp/x.", f"facts: {ROOT}/total.txt") == ["/tmp/x"]
    assert invented_paths("Is notes/total.txt fine, or and/or ./total.txt?", "total.txt") == []
    assert invented_paths("See https://a.example/x/y and 3/4 of it.", "") == []


@pytest.mark.parametrize(
    "text",
    [
        "x" * 8_000,
        "/" * 4_000,
        "a." * 4_000,
        "../" * 2_600,
        "i can do " * 880,
        "let me " * 1_140,
        "a" + "\n" * 7_998 + "b",
    ],
)
def test_the_looks_cost_little_on_hostile_text(text: str) -> None:
    import time

    began = time.monotonic()
    given_away(text, {"secret1"}, text)
    invented_paths(text, "")
    drift_reasons(text)
    assert time.monotonic() - began < 1.0
