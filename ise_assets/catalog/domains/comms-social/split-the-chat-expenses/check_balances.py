"""Compares the balances, to a cent, with those of the seed."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/balances.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.DictReader(handle))
assert list(rows[0]) == ["name", "paid", "balance"], f"header is {list(rows[0])}"
assert [row["name"] for row in rows] == sorted(p["people"]), [row["name"] for row in rows]
for row in rows:
    assert abs(float(row["paid"]) - truth["paid"][row["name"]] / 100) < 0.006, (row, truth["paid"][row["name"]])
    assert abs(float(row["balance"]) - truth["balance"][row["name"]]) < 0.011, (row, truth["balance"][row["name"]])
