"""The failing ones are listed with their ratios, lowest first; a hundredth up or down is accepted."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/contrast.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.reader(handle))
assert rows[0] == ["name", "ratio"], rows[0]
assert [row[0] for row in rows[1:]] == [name for name, _ in truth["failing"]], (rows, truth["failing"])
for row, (name, value) in zip(rows[1:], truth["failing"]):
    assert abs(float(row[1]) - float(value)) < 0.015, f"{name}: {row[1]}, expected {value}"
