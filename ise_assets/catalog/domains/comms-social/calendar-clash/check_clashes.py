"""The list of clashes is the one of the seed, in any order."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/clashes.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.reader(handle))
assert rows[0] == ["date", "work", "private"], rows[0]
assert sorted(rows[1:]) == truth["clashes"], (rows[1:], truth["clashes"])
