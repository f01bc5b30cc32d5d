"""What is planted goes, what only looks like it stays, and what is replaced is replaced everywhere alike."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ise_assets.train.scrub import Machine, Scrubber, differs_beside_redactions, environment_secrets
from ise_assets_tests.train.planted import ENVIRONMENT, innocent, machine, planted
from ise_assets_tests.train.world import dialogue

RECALL, FALSE_POSITIVES = 0.99, 0.01


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(machine())


def _said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def test_recall_over_planted_texts(scrubber: Scrubber) -> None:
    texts = planted()
    left = Counter(p.kind for p in texts if p.secret in scrubber.scrub(_said(p.text))[0][0]["content"])
    recall = 1 - left.total() / len(texts)
    print(f"{len(texts)} planted, recall {recall:.3f}, left: {dict(left)}")
    assert len(texts) >= 200
    assert recall >= RECALL


def test_recall_in_the_json_of_tool_calls(scrubber: Scrubber) -> None:
    texts = planted()
    left = 0
    for one in texts:
        function = {"name": "exec", "arguments": json.dumps({"command": f"echo\n{one.text}"})}
        message = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": function}]}
        clean, redactions = scrubber.scrub([message])
        arguments = json.loads(clean[0]["tool_calls"][0]["function"]["arguments"])
        left += one.secret in arguments["command"]
        assert not redactions or not differs_beside_redactions(
            [message], clean, [{"placeholder": entry.placeholder} for entry in redactions]
        )
    assert 1 - left / len(texts) >= RECALL


def test_false_positives_over_innocent_texts(scrubber: Scrubber) -> None:
    texts = innocent()
    wrong = [text for text in texts if scrubber.scrub(_said(text))[1]]
    print(f"{len(texts)} innocent, {len(wrong)} touched: {wrong}")
    assert len(texts) >= 200
    assert len(wrong) / len(texts) <= FALSE_POSITIVES


def test_untouched_messages_are_the_same_object(scrubber: Scrubber) -> None:
    messages = dialogue("Ada")
    clean, redactions = scrubber.scrub(messages)
    assert clean is messages
    assert redactions == []


def test_one_value_gets_one_placeholder_in_all_of_a_trajectory(scrubber: Scrubber) -> None:
    one, two = "Kobold-8831!x", "Winter_5102?y"
    messages = [
        {"role": "user", "content": f"password: {one}\npassword: {two}"},
        {"role": "assistant", "content": f"I shall log in with {two} and not with {one}."},
        {"role": "tool", "tool_call_id": "c", "content": json.dumps({"tried": [two, one]})},
    ]
    clean, redactions = scrubber.scrub(messages)
    assert clean[0]["content"] == "password: REDACTED_SECRET_1\npassword: REDACTED_SECRET_2"
    assert clean[1]["content"] == "I shall log in with REDACTED_SECRET_2 and not with REDACTED_SECRET_1."
    assert json.loads(clean[2]["content"]) == {"tried": ["REDACTED_SECRET_2", "REDACTED_SECRET_1"]}
    assert {(r.kind, r.placeholder, r.count) for r in redactions} == {
        ("secret", "REDACTED_SECRET_1", 3),
        ("secret", "REDACTED_SECRET_2", 3),
    }
    assert one in messages[0]["content"]  # what was handed in is as it was


def test_a_home_inside_a_longer_path_and_a_user_inside_a_word_are_told_apart(scrubber: Scrubber) -> None:
    text = "/home/mgreiner/src/pipeline/a.py /home/mgreiner/b mgreiner mgreinerson /home/user/c"
    clean, _ = scrubber.scrub(_said(text))
    assert clean[0]["content"] == ("/redacted-path-1/a.py /redacted-path-2/b redacted-user-1 mgreinerson /home/user/c")


def test_what_the_catalogue_invented_stays(scrubber: Scrubber) -> None:
    text = "mail anna@bakery-lindgren.se, +49 30 90182640, password: Kobold-8831!x"
    assert len(scrubber.scrub(_said(text))[1]) == 3
    assert scrubber.scrub(_said(text), known=f"facts: {text}")[1] == []
    key = "AKIA" + "Z3X9" * 4
    assert len(scrubber.scrub(_said(key), known=key)[1]) == 1  # by its form nobody's invention


def test_scrubbing_what_is_scrubbed_changes_nothing(scrubber: Scrubber) -> None:
    for one in planted():
        clean, _ = scrubber.scrub(_said(one.text))
        assert scrubber.scrub(clean) == (clean, []), one


@examples(deadline=None)  # the first one loads the rules
@given(st.text(), st.text())
def test_any_text_is_scrubbed_without_an_error_and_differs_only_by_its_redactions(before: str, after: str) -> None:
    messages = _said(f"{before} password: Kobold-8831!x {after}")
    clean, redactions = Scrubber(machine()).scrub(messages)
    assert "Kobold-8831!x" not in clean[0]["content"]
    recorded = [{"placeholder": entry.placeholder} for entry in redactions]
    assert not differs_beside_redactions(messages, clean, recorded)


@pytest.mark.parametrize(
    ("after", "recorded"),
    [
        ("say A REDACTED_SECRET_1 and B REDACTED_SECRET_1", ["REDACTED_SECRET_1"]),  # one name for two values
        ("sag A REDACTED_SECRET_1 and B y", ["REDACTED_SECRET_1"]),
        ("say A x and B z", ["REDACTED_SECRET_1"]),
        ("say A REDACTED_SECRET_1 and B y", []),
    ],
)
def test_a_change_that_is_no_recorded_redaction_is_seen(after: str, recorded: list[str]) -> None:
    before = _said("say A x and B y")
    assert differs_beside_redactions(before, _said(after), [{"placeholder": name} for name in recorded])
    assert not differs_beside_redactions(
        before, _said("say A REDACTED_SECRET_1 and B y"), [{"placeholder": "REDACTED_SECRET_1"}]
    )


def test_secrets_of_an_environment_are_those_with_a_telling_name_or_a_random_look() -> None:
    assert environment_secrets(ENVIRONMENT) == machine().secrets


def test_machine_tells_its_own_names_but_not_those_that_every_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/mgreiner")
    monkeypatch.chdir("/usr/share")
    here = Machine.here(environment={"USER": "mgreiner", "LOGNAME": "root", "HOSTNAME": "kestrel-build-07"})
    assert "mgreiner" in here.users
    assert "root" not in here.users
    assert "kestrel-build-07" in here.hosts
    assert "/home/mgreiner" in here.paths
    monkeypatch.setenv("HOME", "/home/user")
    assert "/home/user" not in Machine.here(environment={}).paths  # every workspace's home


def test_a_person_of_the_story_who_is_called_like_the_user_stays(scrubber: Scrubber) -> None:
    text = "ask mgreiner on kestrel-build-07"
    clean, _ = scrubber.scrub(_said(text), known="facts: mgreiner, kestrel-build-07")
    assert clean[0]["content"] == "ask mgreiner on redacted-host-1"


def test_a_long_line_takes_no_long_time(scrubber: Scrubber) -> None:
    import time

    began = time.process_time()
    scrubber.scrub(_said("password=" * 20_000 + "://a:" * 20_000 + "eyJ" * 20_000 + "+1 2" * 20_000))
    assert time.process_time() - began < 20
