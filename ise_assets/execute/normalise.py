"""Normalising tool output before a replay is compared with the live session: clocks, durations and temporary names differ.

Only what cannot be the same twice is replaced, each rule by its own mark, and the rules that fired are named. What may be a
program's result stays: plain numbers, times of day, hashes, short hexadecimal constants, whole seconds that nothing calls elapsed.
"""

from __future__ import annotations

import re

_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)"

_RULES: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (name, re.compile(pattern), mark)
    for name, pattern, mark in (
        # a comma before milliseconds only as log files have it, so that the next field of a CSV row is left alone
        (
            "iso_time",
            r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+|,\d{3}(?= ))?)?( ?(Z|UTC|[+-]\d\d:?\d\d)\b)?",
            "<time>",
        ),
        (
            "compact_time",
            r"(?<!\d)20\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])[-_T]([01]\d|2[0-3])[0-5]\d([0-5]\d)?Z?(?!\d)",
            "<time>",
        ),
        ("http_date", rf"\b{_DAY}, \d\d {_MONTH} \d{{4}} [\d:]{{8}} GMT", "<time>"),
        ("ls_date", rf"\b{_MONTH} [ \d]\d( \d\d:\d\d|  \d{{4}})(?!\S)", "<time>"),
        ("date_command", rf"\b{_DAY} {_MONTH} [ \d]\d [\d:]{{8}}( [AP]M)?( [A-Z]{{3,4}})? \d{{4}}", "<time>"),
        ("log_date", rf"\b\d\d/{_MONTH}/\d{{4}}[: ]\d\d:\d\d:\d\d( [+-]\d{{4}})?", "<time>"),
        ("epoch", r"(?<![\w.])1[6-9]\d{8}\.\d+(?![\w.])", "<time>"),
        ("rate", r"(?<![\w.])\d+(\.\d+)? ?([kKMGT]i?)?(B/s|bytes/sec)(?!\w)", "<rate>"),
        ("duration", r"(?<![\w.])(\d+(\.\d+)? ?(ms|µs|us|ns)|\d+\.\d+ ?(s|sec|secs|seconds))(?!\w)", "<duration>"),
        ("whole_seconds", r"\b([Ii]n|[Tt]ook|[Ee]lapsed:?) \d+ ?(s|sec|secs|seconds?)(?!\w)", r"\1 <duration>"),
        ("shell_time", r"\b\d+m\d+\.\d+s\b", "<duration>"),
        ("python_temporary", r"(?<=/)tmp[a-z0-9_]{8}(?!\w)", "tmp<name>"),
        ("mktemp", r"\btmp\.[A-Za-z0-9]{10}\b", "tmp.<name>"),
        # mktemp's X: an upper case letter or a digit inside, which file name extensions do not have
        (
            "mktemp_template",
            r"(?<=/tmp/)([\w-]+)\.(?=[a-z0-9]*[A-Z]|[a-z]*\d+[a-z])[A-Za-z0-9]{6,10}(?![\w.])",
            r"\1.<name>",
        ),
        ("address", r"\b0x[0-9a-f]{9,16}\b", "<address>"),
        ("pid", r"\b((?i:pid)[\"']?[ =:]+)\d+\b", r"\1<pid>"),
    )
)
RULES: tuple[str, ...] = tuple(name for name, _, _ in _RULES)
"""The names of the rules, in the order they are applied."""


def normalise(text: str) -> tuple[str, list[str]]:
    """`text` with what cannot be the same twice replaced by marks, and the names of the rules that fired.

    The rules are applied until none fires: a mark can uncover what stood right beside it.
    """
    fired: set[str] = set()
    before = None
    while text != before:
        before = text
        for name, pattern, mark in _RULES:
            text, count = pattern.subn(mark, text)
            if count:
                fired.add(name)
    return text, [name for name in RULES if name in fired]
