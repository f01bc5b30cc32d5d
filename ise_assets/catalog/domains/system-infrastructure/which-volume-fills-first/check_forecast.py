"""Pace and day of every volume, the soonest first."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/forecast.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["volume", "gib_per_day", "full_on"], f"header {rows[0]}"
assert len(rows) - 1 == len(truth["table"]), f"{len(rows) - 1} volumes"
for got, expected in zip(rows[1:], truth["table"]):
    same = got[0] == expected[0] and abs(float(got[1]) - float(expected[1])) < 0.011 and got[2] == expected[2]
    assert same, f"{got}, expected {expected}"
print(len(rows) - 1, "volumes")
