"""All names, letter by letter, in order."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/names.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["page", "name", p["kind"]["col"]], f"header {rows[0]}"
for got, right in zip(rows[1:], truth["rows"], strict=False):
    assert got == right, f"{got} should be {right}"
assert len(rows) - 1 == len(truth["rows"]), f"{len(rows) - 1} rows, expected {len(truth['rows'])}"
print(len(rows) - 1, "names")
