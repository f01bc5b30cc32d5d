"""Normalising: what cannot be the same twice becomes a mark, what may be a result stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ise_assets.execute.normalise import RULES, normalise

CHANGES: list[tuple[str, str, str]] = [
    ("iso_time", "at 2026-11-24T02:53:20Z ok", "at 2026-11-24T02:59:01Z ok"),
    ("iso_time", "2026-11-24 02:53:20.123456+01:00", "2026-11-24 02:53:21.5+01:00"),
    ("iso_time", "2026-11-24 02:53:20,123 INFO up", "2026-11-24 02:53:20,999 INFO up"),
    ("compact_time", "saved notes-20261124-025320.tar", "saved notes-20261124-025999.tar".replace("999", "401")),
    ("compact_time", "20261124T025320Z", "20261125T000000Z"),
    ("http_date", "Date: Tue, 24 Nov 2026 02:53:20 GMT", "Date: Tue, 24 Nov 2026 03:00:00 GMT"),
    ("ls_date", "-rw-r--r-- 1 user user 12 Nov 24 02:53 a.txt", "-rw-r--r-- 1 user user 12 Nov 24 03:10 a.txt"),
    ("ls_date", "-rw-r--r-- 1 user user 12 Mar  2  2026 a.txt", "-rw-r--r-- 1 user user 12 Mar  3  2026 a.txt"),
    ("date_command", "Tue Nov 24 02:53:20 UTC 2026", "Tue Nov 24 04:53:20 UTC 2026"),
    ("date_command", "Tue Nov 24 02:53:20 AM UTC 2026", "Tue Nov 24 02:53:21 AM UTC 2026"),
    ("log_date", '[24/Nov/2026 02:53:20] "GET / HTTP/1.1" 200 -', '[24/Nov/2026 02:53:21] "GET / HTTP/1.1" 200 -'),
    ("epoch", "now 1795488800.25", "now 1795488911.01"),
    ("rate", "6 bytes copied, 0.0012 s, 4.9 kB/s", "6 bytes copied, 0.002 s, 2.5 kB/s"),
    ("duration", "Ran 3 tests in 0.003s", "Ran 3 tests in 0.011s"),
    ("duration", "in 12 ms", "in 9 ms"),
    ("duration", "done (3.5 seconds)", "done (3.75 seconds)"),
    ("whole_seconds", "built in 4s", "built in 5s"),
    ("whole_seconds", "took 2 seconds", "took 3 seconds"),
    ("shell_time", "real\t0m0.013s", "real\t0m1.203s"),
    ("python_temporary", "wrote /tmp/tmpk3v_9xq1/out.csv", "wrote /tmp/tmpzz81abcd/out.csv"),
    ("mktemp", "/tmp/tmp.Ab3dE6gH1j", "/tmp/tmp.zzzzzzzzzz"),
    ("mktemp_template", "/tmp/build.aXb3Cd", "/tmp/build.QQb3Cd"),
    ("address", "<Ledger object at 0x7f3a5c0b2d90>", "<Ledger object at 0x7fffffffff90>"),
    ("pid", "started, pid 4312", "started, pid 17"),
    ("pid", '{"pid": 4312}', '{"pid": 99}'),
]


@pytest.mark.parametrize(("rule", "live", "replayed"), CHANGES)
def test_what_differs_by_clock_or_chance_is_the_same_afterwards(rule: str, live: str, replayed: str) -> None:
    assert live != replayed
    (one, fired), (other, _) = normalise(live), normalise(replayed)
    assert one == other
    assert rule in fired


def test_every_rule_has_an_example() -> None:
    assert {rule for rule, _, _ in CHANGES} == set(RULES)


@pytest.mark.parametrize(
    "text",
    [
        "total 42.50",
        "3 bookings, 1795488800 cents",
        "3f786850e387550fdab836ed7e6dc881de23001b",
        "9e107d9d372bb6826bd81d3542a419d6  ledger.csv",
        "colour 0xff00aa, mask 0xffffffff",
        "timeout = 30 s",
        "retry after 30 seconds",
        "00:01:02,500 --> 00:01:04,000",
        "due 2026-03-02",
        "/tmp/report.parquet /tmp/books.sqlite3 /tmp/notes.markdown",
        "/tmp/tmpfiles.csv",
        "pidgin 3, stupid 4",
        "20261301-250000 is no time",
        "version 1.2.3s4",
        "202611240253201234567",
    ],
)
def test_results_are_left_alone(text: str) -> None:
    assert normalise(text) == (text, [])


def test_the_field_after_a_time_in_a_csv_row_is_kept() -> None:
    assert normalise("2026-03-02 10:00:00,425\n2026-03-02 10:00:00,425.10\n")[0] == "<time>,425\n<time>,425.10\n"


def test_differing_results_beside_a_clock_still_differ() -> None:
    assert normalise("Ran 3 tests in 0.1s")[0] != normalise("Ran 4 tests in 0.1s")[0]


PIECES = st.sampled_from(
    [*(text for _, live, replayed in CHANGES for text in (live, replayed)), " ", "\n", "/tmp/", ".", "7"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES | st.text(alphabet="aZ09.:-/ \n,s_xT", max_size=12), max_size=6).map("".join))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once, _ = normalise(text)
    assert normalise(once)[0] == once


@given(st.integers(min_value=0, max_value=10**12) | st.floats(min_value=0, max_value=10**6, allow_nan=False))
def test_a_plain_number_is_no_clock(number: float) -> None:
    assert normalise(f"sum {number}\n")[1] == []


@given(st.binary(min_size=16, max_size=32).map(bytes.hex))
def test_a_hash_is_left_alone(digest: str) -> None:
    assert normalise(f"{digest}  file")[1] == []
