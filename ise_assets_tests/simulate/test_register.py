"""How near a turn's manner is to its person's, and whether it takes up what happened: on people unlike each other."""

from __future__ import annotations

from itertools import product

import pytest

from ise_assets.simulate.register import distance, manner, takes_up

TERSE = ("fix the import in jobs.py, then rerun", "ok. next: the csv, drop row 3", "no, the other one. port 8080")
CHATTY = (
    "Oh no, it's doing that thing again!! Could you have a peek? I'm so lost, haha.",
    "Yay, that's it! Okay so now the fun bit: the guests! There's a list somewhere, I'm sure.",
)
FORMAL = (
    "Kindly prepare the statement for the second quarter; I should be grateful if the annexes were included.",
    "I would be obliged if the original records were left unaltered, as the auditors may request them.",
)


def test_a_person_is_nearer_to_itself_than_to_others() -> None:
    groups = (TERSE, CHATTY, FORMAL)
    for one in groups:
        own = max(distance(a, b) for a, b in product(one, one))
        others = min(distance(a, b) for other in groups if other is not one for a, b in product(one, other))
        assert own < others, (one, own, others)


@pytest.mark.parametrize("text", ["", "...", "?!", "\n\n", "12 34", "x" * 8_000, "日本語のメモ"])
def test_any_text_has_a_manner(text: str) -> None:
    assert all(0 <= feature <= 1 for feature in manner(text)) and distance(text, text) == 0
    assert 0 <= distance(text, CHATTY[0]) <= 1


@pytest.mark.parametrize(
    ("turn", "happened", "expected"),
    [
        ("I see totals.csv now, thanks.", "- added /home/user/totals.csv (312 bytes)", True),
        ("312 rows? I expected more.", "The table has 312 rows.", True),
        ("Good. Next please check it once more.", "The table has 312 rows and it is there now.", False),
        ("Why did the import fail?", "The command failed with exit code 1: no module named freight.", False),
        ("What is freight, then?", "The command failed: no module named freight.", True),
    ],
)
def test_a_turn_takes_up_what_happened_by_name_or_number(turn: str, happened: str, expected: bool) -> None:
    assert takes_up(turn, happened) is expected
