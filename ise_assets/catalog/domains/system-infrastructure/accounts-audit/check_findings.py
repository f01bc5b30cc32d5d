"""Every finding once, in order."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/findings.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["rule", "account"], f"header {rows[0]}"
assert sorted(rows[1:]) == truth["rows"], f"{len(rows) - 1} findings, expected {len(truth['rows'])}: {[r for r in rows[1:] if r not in truth['rows']][:3]}"
assert rows[1:] == truth["rows"], "not sorted"
print(len(rows) - 1, "findings")
