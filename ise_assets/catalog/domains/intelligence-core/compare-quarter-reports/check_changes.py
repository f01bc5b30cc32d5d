"""Compares changes.csv with the figures of the seed; the renamed line may be told by its new name only."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/changes.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.DictReader(handle))
assert list(rows[0]) == ["line", "before", "after", "percent"], f"header is {list(rows[0])}"
want = []
for name, before in truth["before"].items():
    after = truth["after"][name]
    shown = name + " Plus" if name == truth["renamed"] else name
    want.append((shown, str(before), str(after), round((after - before) / before * 100, 1)))
want.sort(key=lambda row: row[3])
got = [(row["line"], row["before"], row["after"], float(row["percent"])) for row in rows]
assert len(got) == len(want), f"{len(got)} lines, expected {len(want)}"
assert [row[3] for row in got] == sorted(row[3] for row in got), "not sorted by percent"
for one in want:
    assert any(row[:3] == one[:3] and abs(row[3] - one[3]) < 0.11 for row in got), f"{one} is missing in {got}"
