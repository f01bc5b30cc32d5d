"""The codes of every answer, in order."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/coded.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["id", "codes"], f"header {rows[0]}"
for got, right in zip(rows[1:], truth["coded"], strict=False):
    assert got == right, f"{got} should be {right}"
assert len(rows) - 1 == len(truth["coded"]), f"{len(rows) - 1} answers"
print(len(rows) - 1, "answers")
