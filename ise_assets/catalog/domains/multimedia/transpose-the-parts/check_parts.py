"""The notes of each part are counted."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/parts.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.reader(handle))
assert rows == [["track", "notes"], *truth["rows"]], (rows, truth["rows"])
