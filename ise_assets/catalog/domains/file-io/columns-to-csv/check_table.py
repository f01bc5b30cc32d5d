"""Every reading that is there, once, in order, readable as UTF-8."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
path = f"{p['root']}/{p['kind']['file'].replace('.prn', '.csv')}"
with open(path, encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert [cell.lower() for cell in rows[0]] == ["time", "place", "value"], f"header {rows[0]}"
found = [[when, place, f"{float(value):.1f}"] for when, place, value in rows[1:]]
assert len(found) == len(truth["table"]), f"{len(found)} readings, expected {len(truth['table'])}"
for got, expected in zip(found, truth["table"]):
    assert got == expected, f"{got}, expected {expected}"
print(len(found), "readings")
