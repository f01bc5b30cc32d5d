"""Every rule that can never match, with the first that covers it."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/dead.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows == [["rule", "by"], *truth["dead"]], f"{rows} should be {truth['dead']}"
print(len(rows) - 1, "dead rules")
