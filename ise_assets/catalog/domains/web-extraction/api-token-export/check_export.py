"""The export holds the wanted records of the right profile, sorted, amounts with decimals."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/{p['state']}-{p['records']}.json", encoding="utf-8") as handle:
    rows = json.load(handle)
assert all(set(row) == {"id", "customer", "amount"} for row in rows), f"keys are {sorted(rows[0])}"
assert all(isinstance(row["amount"], (int, float)) for row in rows), "an amount is not a number"
got = [[row["id"], row["customer"], round(row["amount"] * 100)] for row in rows]
assert got == truth["rows"], f"{len(got)} records, expected {len(truth['rows'])}; or their order or values differ"
