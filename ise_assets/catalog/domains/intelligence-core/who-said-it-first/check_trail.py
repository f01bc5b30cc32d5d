"""Every clipping with its source and figure, in order of date."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/trail.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["clip", "source", "figure"], f"header {rows[0]}"
for got, expected in zip(rows[1:], truth["trail"]):
    assert got == expected, f"{got}, expected {expected}"
assert len(rows) - 1 == len(truth["trail"]), f"{len(rows) - 1} clippings, expected {len(truth['trail'])}"
print(len(rows) - 1, "clippings")
