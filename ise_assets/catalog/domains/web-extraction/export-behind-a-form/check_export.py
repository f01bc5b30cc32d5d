"""All rows of the month, in order, under one header."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/2026-0{p['month']}.csv", encoding="utf-8-sig") as handle:
    found = handle.read().splitlines()
right = truth["text"].splitlines()
assert found == right, f"{len(found)} lines, expected {len(right)}; first difference: {next((a for a in zip(found, right) if a[0] != a[1]), None)}"
print(len(found) - 1, "rows")
