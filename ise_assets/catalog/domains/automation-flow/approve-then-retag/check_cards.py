"""Cards are as the plan without the struck-out group leaves them; what they had before is kept."""

import csv
import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = Path(p["root"])
for name, text in truth["cards"].items():
    assert (root / "cards" / name).read_text("utf-8") == text, f"{name} is not as it should be"
with open(root / "undo.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows == [["file", "from"], *truth["undo"]], f"undo.csv has {len(rows) - 1} rows, expected {len(truth['undo'])}"
print(len(rows) - 1, "cards changed")
