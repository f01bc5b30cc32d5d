"""The role-locked user: what its model is sent, and what is let through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from ise_assets.execute.models import FileChange, LiveCall
from ise_assets.intent.models import Intent, Persona
from ise_assets.llm import Ledger
from ise_assets.settings import Settings
from ise_assets.simulate.models import UserTurn
from ise_assets.simulate.user import EXCERPT_FILES, Observation, UserModelError, UserSimulator
from ise_assets_tests.simulate.ledger_session import Playlist, turn

NOTHING = Observation()


def user_of(intent: Intent, persona: Persona, settings: Settings, *entries: Any) -> tuple[UserSimulator, Playlist]:
    script = Playlist(*entries)
    return UserSimulator(intent, persona, settings, Ledger(), "d1", script), script


def answers(user: UserSimulator, *texts: str, observation: Observation = NOTHING) -> list[UserTurn]:
    async def run() -> list[UserTurn]:
        return [await user.next_turn(text, observation) for text in texts]

    return asyncio.run(run())


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(max_regenerations=2)


def test_own_lines_reach_the_model_as_assistant_and_the_agents_as_user(
    intent: Intent, persona: Persona, settings: Settings
) -> None:
    user, script = user_of(intent, persona, settings, turn("And the note?", "0.note"))
    opening = user.say_first()
    assert opening.message == intent.utterance
    answers(user, "The sum is 42.")
    (sent,) = script.seen
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert json.loads(sent[2]["content"])["message"] == intent.utterance
    assert sent[3]["content"].startswith("The sum is 42.")
    assert persona.name in sent[0]["content"] and persona.communication_style in sent[0]["content"]


def test_only_the_next_subgoal_is_revealed_and_withheld_facts_are_marked(
    intent: Intent, persona: Persona, settings: Settings
) -> None:
    third = {**intent.subgoals[1], "key": "0.later", "wants": "a thing of the far future"}
    intent = intent.model_copy(update={"subgoals": (*intent.subgoals, third)})
    user, script = user_of(intent, persona, settings, turn("And the note?", "0.note"), turn("later then", "0.later"))
    user.say_first()
    answers(user, "The sum is 42.", "The note is there.")
    first = json.dumps(script.seen[0])
    assert "a note that says done" in first and "far future" not in first
    assert "only if you are asked for it: the column is called amount" in first
    assert "column = amount" not in first
    assert "far future" in json.dumps(script.seen[1])


def test_every_request_begins_with_the_whole_one_before_it(
    intent: Intent, persona: Persona, settings: Settings
) -> None:
    user, script = user_of(
        intent, persona, settings, turn("And the note?", "0.note"), turn("check it all please", "verification")
    )
    user.say_first()
    answers(user, "42.", "Done.")
    first, second = script.seen
    assert second[: len(first)] == first


def test_the_observation_shows_files_and_exit_codes_but_no_tool_traffic() -> None:
    call = LiveCall(0, 1, "c", "exec", '{"command": "secret-command"}', "nonzero_exit", "x", 3, "", "", False, 0.0, 1.0)
    files = [(FileChange(f"/home/user/f{n}", "added", n), "x" * 999 if n == 0 else None) for n in range(9)]
    text = Observation(files, [call]).text()
    assert "added /home/user/f0" in text and "x" * 200 in text and "x" * 201 not in text
    assert text.count("- added") == EXCERPT_FILES and "and 3 more files" in text
    assert "exit status of the last ones: 3" in text and "secret-command" not in text
    assert NOTHING.text() == "- nothing changed, nothing was run"


def test_a_drifting_turn_is_asked_for_again_with_the_reason(
    intent: Intent, persona: Persona, settings: Settings
) -> None:
    user, script = user_of(
        intent,
        persona,
        settings,
        turn("Sure, I can help with that! Let me know if you'd like more.", "0.note"),
        turn("ok, now the note", "0.note"),
        turn("check it all please", "verification"),
    )
    user.say_first()
    first, _ = answers(user, "The sum is 42.", "The note is there.")
    assert first.message == "ok, now the note"
    assert "breaks the role" in script.seen[1][-1]["content"]
    assert (user.drift_turns, user.regenerated_turns) == (1, 1)
    assert "help with that" not in json.dumps(script.seen[2])


def test_a_session_cannot_end_before_a_final_check_was_asked_for_and_answered(
    intent: Intent, persona: Persona, settings: Settings
) -> None:
    early = turn("bye", "0.total", done=True)
    user, script = user_of(
        intent,
        persona,
        settings,
        early,
        turn("now the note", "0.note"),
        early,
        turn("check it all please", "verification"),
        turn("", "verification", done=True, satisfied=False, reason="still wrong"),
    )
    user.say_first()
    turns = answers(user, "42", "note", "checked")
    assert [item.done for item in turns] == [False, False, True]
    assert user.regenerated_turns == 2 and user.drift_turns == 0
    assert "no final check" in script.seen[1][-1]["content"]
    assert turns[-1].satisfied is False


def test_a_user_model_that_insists_is_overruled_with_plain_words(
    intent: Intent, persona: Persona, settings: Settings
) -> None:
    early = turn("bye", "0.total", done=True)
    user, _ = user_of(intent, persona, settings, *[early] * 6)
    user.say_first()
    second, third = answers(user, "42", "note")
    assert (second.message, second.subgoal) == ("Now a note.txt that says done.", "0.note")
    assert third.subgoal == "verification" and not third.done
    assert user.regenerated_turns == 4


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (turn("the far thing", "9.nothing"), "does not exist"),
        (turn("check it", "verification"), "has not been asked for yet"),
        (turn("", "0.note"), "has no message"),
        ("not JSON at all", "not the JSON object"),
        ('{"message": "x"}', "subgoal"),
        (turn("Hi, please sum ledger no. 0 into total.txt.", "0.total"), "repeats an earlier message"),
    ],
)
def test_an_unusable_turn_is_asked_for_again(
    bad: str, problem: str, intent: Intent, persona: Persona, settings: Settings
) -> None:
    user, script = user_of(intent, persona, settings, bad, turn("now the note", "0.note"))
    user.say_first()
    (taken,) = answers(user, "42")
    assert taken.message == "now the note"
    assert problem in script.seen[1][-1]["content"]


def test_a_model_that_never_gives_a_turn_is_an_error(intent: Intent, persona: Persona, settings: Settings) -> None:
    user, script = user_of(intent, persona, settings, *["what?"] * 3)
    user.say_first()
    with pytest.raises(UserModelError, match="scripted/teacher"):
        answers(user, "42")
    assert len(script.seen) == 3


def test_fenced_json_is_read(intent: Intent, persona: Persona, settings: Settings) -> None:
    user, _ = user_of(intent, persona, settings, f"```json\n{turn('now the note', '0.note')}\n```")
    user.say_first()
    assert answers(user, "42")[0].subgoal == "0.note"
