"""Live sessions in real workspaces, played by scripts: what is recorded, and how each kind of trouble ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, ClassVar

from ise_assets.execute.workspace import Backend, Channel, Limits
from ise_assets.intent.models import Intent, Persona
from ise_assets.llm import Ledger, Script
from ise_assets.settings import Settings
from ise_assets.simulate.models import Dialogue, transcript_markdown
from ise_assets.simulate.session import OnEvent, run_session
from ise_assets_tests.simulate.ledger_session import GOOD_USER, ROOT, TASKS, Playlist, calls, good_agent, turn

BYE = (turn("Please check both files.", "verification"), turn("", "verification", done=True))


def play(
    intent: Intent,
    persona: Persona,
    backend: Backend,
    settings: Settings,
    user: list[Any],
    agent: list[Any],
    on_event: OnEvent | None = None,
    tries: int = 1,
) -> tuple[Dialogue, list[tuple[Playlist, Playlist]]]:
    """One session; each try of it plays the same entries from the start."""
    played: list[tuple[Playlist, Playlist]] = []

    def scripts(*_: Any) -> tuple[Script, Script]:
        played.append((Playlist(*user), Playlist(*agent)))
        return played[-1]

    dialogue = asyncio.run(
        run_session(
            intent,
            persona,
            TASKS,
            backend,
            Limits.of(settings),
            settings,
            Ledger(),
            0,
            on_event=on_event,
            scripts=scripts,
        )
    )
    assert len(played) == tries
    return dialogue, played


def test_a_good_session_is_completed_accepted_and_recorded_as_it_was(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    seen: list[str] = []
    dialogue, [(user, agent)] = play(
        intent,
        persona,
        backend,
        make_settings(),
        list(GOOD_USER),
        good_agent(),
        on_event=lambda kind, details: seen.append(kind),
    )
    assert (dialogue.status, dialogue.accepted_live, dialogue.attempts) == ("completed", True, 1), dialogue.stop_reason
    assert "both files are right" in dialogue.stop_reason
    assert dialogue.subgoal_turns == {"0.total": [1], "0.note": [2], "verification": [3]}
    assert [check.held for check in dialogue.live_checks] == [True, True, True]
    assert [(call.name, call.outcome, call.user_turn) for call in dialogue.calls] == [
        ("exec", "nonzero_exit", 1),
        ("exec", "ok", 1),
        ("write", "ok", 1),
        ("write", "ok", 2),
        ("exec", "ok", 3),
    ]
    assert dialogue.calls[0].exit_code == 1 and "No such file" in dialogue.calls[0].stderr
    offsets = [call.offset_s for call in dialogue.calls]
    assert offsets == sorted(offsets) and offsets[0] >= 0
    assert [message["role"] for message in dialogue.messages[:4]] == ["system", "user", "assistant", "tool"]
    for request in agent.seen:
        assert dialogue.messages[: len(request)] == request
    assert dialogue.prompt_tokens > 0 and dialogue.cost_usd == 0.0
    assert seen[:4] == ["user_text", "agent_text", "tool_call", "tool_result"] and seen[-3:] == ["check"] * 3
    shown = user.seen[0][-1]["content"]
    assert f"added {ROOT}/total.txt" in shown and "42" in shown and "last ones: 1, 0" in shown
    assert "total.txt" not in user.seen[1][-1]["content"].split("[workspace]")[1].split("[notes]")[0]
    text = transcript_markdown(dialogue.messages)
    assert "**user:** Hi, please sum" in text and "No such file" in text


def test_a_contented_user_does_not_make_a_session_accepted(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    agent = ["It is 42, I am sure.", "The note is there.", "All is well."]
    dialogue, _ = play(intent, persona, backend, make_settings(), list(GOOD_USER), agent)
    assert (dialogue.status, dialogue.accepted_live) == ("completed", False)
    assert {check.name: check.held for check in dialogue.live_checks} == {"0.a0": False, "0.a1": True, "0.g0": True}


def test_a_broken_guard_is_not_accepted(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    agent = good_agent()
    agent[2] = calls(("exec", {"command": f"echo 42 > {ROOT}/total.txt; echo oar,1 >> {ROOT}/ledger.csv"}))
    dialogue, _ = play(intent, persona, backend, make_settings(), list(GOOD_USER), agent)
    assert (dialogue.status, dialogue.accepted_live) == ("completed", False)


def test_an_unsatisfied_user_gives_up(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    user = [*GOOD_USER[:2], turn("", "verification", done=True, satisfied=False, reason="the sum is wrong")]
    dialogue, _ = play(intent, persona, backend, make_settings(), user, ["41", "noted", "checked"])
    assert (dialogue.status, dialogue.accepted_live) == ("gave_up", False)
    assert "the sum is wrong" in dialogue.stop_reason


def test_what_is_malformed_goes_back_to_the_model_and_is_never_run(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    agent = good_agent()
    broken = '{"command": "touch /home/user/ran'
    agent.insert(0, calls(("exec", broken), ("teleport", {"to": "mars"}), ("exec", {"command": "ls /home/user"})))
    dialogue, _ = play(intent, persona, backend, make_settings(), list(GOOD_USER), agent)
    assert [call.outcome for call in dialogue.calls[:3]] == ["invalid_arguments", "unknown_tool", "ok"]
    assert dialogue.calls[0].arguments == broken
    assert "ran" not in dialogue.calls[2].stdout
    assert dialogue.messages[2]["tool_calls"][0]["function"]["arguments"] == broken
    assert dialogue.accepted_live


def test_calls_over_the_limit_are_answered_but_not_run(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    burst = calls(*[("exec", {"command": f"touch /home/user/f{n}"}) for n in range(5)])
    dialogue, _ = play(intent, persona, backend, make_settings(max_tool_calls=2), [], [burst])
    assert (dialogue.status, dialogue.stop_reason) == ("turn_limit", "max_tool_calls")
    assert len(dialogue.calls) == 2
    tools = [message for message in dialogue.messages if message["role"] == "tool"]
    assert [tool["tool_call_id"] for tool in tools] == [call["id"] for call in burst["tool_calls"]]
    assert "not run" in tools[-1]["content"]


def test_too_many_user_turns_end_a_session(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    user = [turn(f"again {n}", "0.total") for n in range(2)]
    dialogue, _ = play(intent, persona, backend, make_settings(max_user_turns=2), user, ["no", "no"])
    assert (dialogue.status, dialogue.stop_reason, dialogue.user_turns) == ("turn_limit", "max_user_turns", 2)


def test_a_session_that_takes_too_long_is_ended(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    slow = [calls(("exec", {"command": "sleep 0.2"})) for _ in range(20)]
    dialogue, _ = play(intent, persona, backend, make_settings(max_session_minutes=0.01), [], slow)
    assert (dialogue.status, dialogue.stop_reason) == ("turn_limit", "max_session_minutes")
    assert 0 < len(dialogue.calls) < 20


def test_empty_answers_are_asked_again_and_too_many_end_the_session(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    once, _ = play(intent, persona, backend, make_settings(), list(GOOD_USER), ["", " ", *good_agent()])
    assert once.accepted_live and all(message.get("content") != "" for message in once.messages)
    often, _ = play(intent, persona, backend, make_settings(), [], ["", "  ", ""])
    assert (often.status, often.stop_reason.split(":")[0], often.user_turns) == ("error", "EmptyAnswer", 1)


def test_a_model_that_fails_leaves_an_error_row_with_what_there_was(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    def fail(messages: list[dict[str, Any]]) -> str:
        raise RuntimeError("the model is on fire")

    dialogue, _ = play(intent, persona, backend, make_settings(), [], [good_agent()[0], fail])
    assert dialogue.status == "error" and "the model is on fire" in dialogue.stop_reason
    assert len(dialogue.calls) == 1 and not dialogue.accepted_live
    assert [message["role"] for message in dialogue.messages] == ["system", "user", "assistant", "tool"]


def test_ids_that_a_model_uses_twice_are_made_distinct(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    agent = good_agent()
    for message in agent:
        if isinstance(message, dict):
            for call in message["tool_calls"]:
                call["id"] = "call_0"
    dialogue, _ = play(intent, persona, backend, make_settings(), list(GOOD_USER), agent)
    ids = [call.tool_call_id for call in dialogue.calls]
    assert len(set(ids)) == len(ids) == 5
    assert [m["tool_call_id"] for m in dialogue.messages if m["role"] == "tool"] == ids
    assert dialogue.accepted_live


def test_a_session_whose_workspace_dies_starts_again_in_a_fresh_one(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    class Mortal(Backend):
        name = backend.name
        channels: ClassVar[list[Channel]] = []

        def probe(self) -> str | None:
            return None

        def sweep(self) -> None:
            backend.sweep()

        async def open(self, limits: Limits) -> Channel:
            self.channels.append(await backend.open(limits))
            return self.channels[-1]

    def kill(messages: list[dict[str, Any]]) -> dict[str, Any]:
        if len(Mortal.channels) == 1:
            Mortal.channels[0].process.kill()
        return calls(("exec", {"command": "true"}))

    agent = [kill, *good_agent()]
    dialogue, _ = play(intent, persona, Mortal(), make_settings(), list(GOOD_USER), agent, tries=2)
    assert (dialogue.status, dialogue.attempts, dialogue.accepted_live) == ("completed", 2, True)
    assert len(dialogue.calls) == 6
    Mortal.channels.clear()
    once, _ = play(intent, persona, Mortal(), make_settings(max_attempts=1), [], agent)
    assert (once.status, once.attempts, once.stop_reason.split(":")[0]) == ("error", 1, "workspace_died")


def test_the_row_is_json_of_what_happened(
    intent: Intent, persona: Persona, backend: Backend, make_settings: Callable[..., Settings]
) -> None:
    from datetime import UTC, datetime

    dialogue, _ = play(intent, persona, backend, make_settings(), list(GOOD_USER), good_agent())
    row = dialogue.row(domain="file-io", run_id="r", spec_hash="s", written_at=datetime.now(UTC))
    assert json.loads(row["messages"]) == dialogue.messages
    assert [call["exit_code"] for call in json.loads(row["calls"])][:2] == [1, 0]
    assert (row["user_turns"], row["tool_call_count"], row["distinct_tools"]) == (3, 5, 2)
    assert row["dialogue_turns"] == len(dialogue.messages) - 1
