"""The report must list what was wrong, with the mode it had and the mode it should have."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/{p['report']}.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.reader(handle))
assert rows[0] == ["path", "mode", "should"], f"header is {rows[0]}"
assert len(rows) - 1 == truth["bad"], f"{len(rows) - 1} findings, expected {truth['bad']}"
assert len({row[0] for row in rows[1:]}) == truth["bad"], "a file is listed twice"
for path, mode, should in rows[1:]:
    assert truth["modes"].get(path) == should != mode, f"wrong finding: {path},{mode},{should}"
assert [row[0] for row in rows[1:]] == sorted(row[0] for row in rows[1:]), "not sorted by path"
