"""The extract has the columns and people that the rules allow."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/extract.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle, delimiter=";") if row]
assert rows == truth["extract"], next(((a, b) for a, b in zip(rows, truth["extract"]) if a != b), f"{len(rows)} rows")
