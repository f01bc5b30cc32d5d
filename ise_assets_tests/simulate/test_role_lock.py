"""The perspective lock's precision and recall on a labelled set of turns in four registers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ise_assets.intent.catalog import load_catalog
from ise_assets.simulate.role_lock import drift_reasons

LABELLED = [json.loads(line) for line in Path(__file__).with_name("role_lock.jsonl").read_text("utf-8").splitlines()]


def test_the_labelled_set_is_large_enough_and_covers_every_register_on_both_sides() -> None:
    assert len({row["text"] for row in LABELLED}) == len(LABELLED) >= 390
    kinds = {(row["style"], row["drifted"]) for row in LABELLED}
    assert kinds == {(style, side) for style in ("terse", "plain", "chatty", "formal") for side in (True, False)}


def test_precision_and_recall_on_the_texts_that_the_rules_know() -> None:
    flagged = [row for row in LABELLED if drift_reasons(row["text"])]
    drifted = [row for row in LABELLED if row["drifted"]]
    hits = [row for row in flagged if row["drifted"]]
    wrong = [row["text"] for row in flagged if not row["drifted"]]
    missed = [row["text"] for row in drifted if row not in hits]
    print(f"{len(LABELLED)} turns: precision {len(hits) / len(flagged):.3f}, recall {len(hits) / len(drifted):.3f}")
    assert len(hits) / len(flagged) >= 0.99, wrong
    assert len(hits) / len(drifted) >= 0.99, missed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Let me know if you'd like more.", "asks the user what they would like"),
        ("Sure, I can help with that.", "agrees to do the work, which is the assistant's part"),
        ("As an AI model I cannot do this.", "speaks as a machine"),
        ("I’ve updated the file for you.", "reports the assistant's work as its own"),
    ],
)
def test_a_reason_says_what_is_wrong_with_the_turn(text: str, reason: str) -> None:
    assert reason in drift_reasons(text)


def test_no_scenario_makes_its_user_say_what_looks_like_drift() -> None:
    said = [
        words
        for task in load_catalog().values()
        for words in (
            *(text for subgoal in task.subgoals for ways in subgoal.says.values() for text in ways),
            *(fact.says for fact in task.facts.values() if fact.says),
        )
    ]
    assert said
    assert {words: reasons for words in said if (reasons := drift_reasons(words))} == {}


def test_quoting_the_assistant_is_no_drift() -> None:
    assert drift_reasons('You told me "I\'ve updated the file for you", but it is the old one.') == []
