"""Each person's shifts and hours, most hours first."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/hours.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert [cell.lower() for cell in rows[0]] == ["name", "shifts", "hours"], f"header {rows[0]}"
found = {name: (int(shifts), float(hours)) for name, shifts, hours in rows[1:]}
expected = {name: (shifts, float(hours)) for name, shifts, hours in truth["table"]}
assert found == expected, f"{found}, expected {expected}"
hours = [float(row[2]) for row in rows[1:]]
assert hours == sorted(hours, reverse=True), "not in the order of hours"
print(len(found), "people")
