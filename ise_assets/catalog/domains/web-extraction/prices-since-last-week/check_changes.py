"""Every change, and nothing else, by sku."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/changes.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["sku", "change", "before", "now"], f"header {rows[0]}"
assert sorted(rows[1:]) == truth["rows"], f"{rows[1:]} should be {truth['rows']}"
assert rows[1:] == truth["rows"], "not sorted by sku"
print(len(rows) - 1, "changes")
