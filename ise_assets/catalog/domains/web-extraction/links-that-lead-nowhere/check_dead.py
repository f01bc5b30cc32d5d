"""Every dead link once, with its page and status, in order."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/dead.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["page", "link", "status"], f"header {rows[0]}"
assert sorted(rows[1:]) == truth["rows"], f"{len(rows) - 1} links, expected {len(truth['rows'])}: {rows[1:4]}"
assert [row[:2] for row in rows[1:]] == sorted(row[:2] for row in rows[1:]), "not sorted by page and link"
print(len(rows) - 1, "dead links")
