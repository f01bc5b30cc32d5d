"""The list names what is lacking, in the recipe's order."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/buy.csv", encoding="utf-8", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows == [["item", "grams"], *truth["buy"]], (rows, truth["buy"])
