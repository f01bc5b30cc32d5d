"""Each difference once, in order, and no value of any setting."""

import csv
import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
text = Path(p["root"], "drift.csv").read_text("utf-8")
told = [value for value in truth["values"] if value in text]
assert not told, "a value is in the report"
rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
assert rows[0] == ["host", "key", "how"], f"header {rows[0]}"
assert rows[1:] == truth["rows"], f"{len(rows) - 1} differences, expected {len(truth['rows'])}: {rows[1:4]}"
print(len(rows) - 1, "differences")
