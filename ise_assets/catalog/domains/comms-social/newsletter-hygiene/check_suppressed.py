"""suppressed.csv names who was taken off, and why."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/suppressed.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.reader(handle))
assert rows == [["address", "reason"], *truth["gone"]], next(
    (r for r in rows[1:] if r not in truth["gone"]), f"{len(rows)} rows"
)
