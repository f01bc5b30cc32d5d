"""The plan: every card that the rule meets, tags before and after."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/plan.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["file", "from", "to"], f"header {rows[0]}"
assert rows[1:] == truth["plan"], f"{len(rows) - 1} rows, expected {len(truth['plan'])}"
print(len(rows) - 1, "cards planned")
