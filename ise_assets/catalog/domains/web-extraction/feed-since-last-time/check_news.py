"""New and changed entries, oldest first."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/news.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["kind", "date", "title", "link"], f"header {rows[0]}"
assert sorted(rows[1:]) == sorted(truth["rows"]), f"{len(rows) - 1} rows, expected {len(truth['rows'])}: {rows[1:3]}"
assert [row[1] for row in rows[1:]] == [row[1] for row in truth["rows"]], "not oldest first"
print(len(rows) - 1, "entries")
