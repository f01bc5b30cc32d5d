"""The deciding rule of every packet."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/verdicts.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows == [["packet", "rule", "action"], *truth["verdicts"]], f"{rows[1:]} should be {truth['verdicts']}"
print(len(rows) - 1, "packets")
