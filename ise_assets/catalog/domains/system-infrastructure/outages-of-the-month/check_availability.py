"""Minutes down and per cent of each service."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/availability.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["service", "minutes_down", "percent"], f"header {rows[0]}"
assert rows[1:] == truth["rows"], f"{rows[1:]} should be {truth['rows']}"
print(len(rows) - 1, "services")
