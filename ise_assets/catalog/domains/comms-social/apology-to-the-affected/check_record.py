"""The record names those written to, by order number."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/apologies.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.reader(handle))
assert rows == [["order", "to", "expected"], *sorted(truth["affected"])], rows
