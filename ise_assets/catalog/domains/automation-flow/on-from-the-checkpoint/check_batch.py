"""Results and summary are whole, and no item was charged twice."""

import csv
import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = Path(p["root"])
for item in truth["items"]:
    result = json.loads((root / "results" / f"{item}.json").read_text("utf-8"))
    assert (result["id"], result["value"]) == (item, truth["values"][item]), f"{item}: {result}"
charged = (root / "charged.log").read_text("utf-8").split()
twice = sorted({item for item in charged if charged.count(item) > 1})
assert not twice and sorted(charged) == sorted(truth["items"]), f"charged twice: {twice}"
with open(root / "summary.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["id", "value"], f"header {rows[0]}"
assert [(i, float(v)) for i, v in rows[1:]] == [(i, truth["values"][i]) for i in truth["items"]], "summary.csv"
print(len(charged), "items, each once")
