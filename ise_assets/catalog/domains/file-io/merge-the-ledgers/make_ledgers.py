"""Writes one export per branch, each with its own habits; prints the truths."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
months = ["january", "february", "march", "april", "may", "june", "july", "august", "september"]
month = months.index(p["period"]) + 1
sums, refs = {}, 0
for number, branch in enumerate(p["branches"]):
    sep, bom, end, comma = [(";", "\ufeff", "\r\n", True), (",", "", "\n", False), (";", "", "\n", True)][number % 3]
    rows = []
    for _ in range(p["rows"]):
        refs += 1
        amount = rng.randint(300, 90000) / 100
        sums[branch] = sums.get(branch, 0) + round(amount * 100)
        shown = ("%.2f" % amount).replace(".", ",") if comma else "%.2f" % amount
        rows.append([f"2025-{month:02d}-{rng.randint(1, 28):02d}", f"{branch[:2].upper()}{refs:04d}", shown])
    rows += rng.sample(rows, 2)
    rng.shuffle(rows)
    header = ["Date", "Ref", "Amount"]
    with open(f"{branch}-export.csv", "w", encoding="utf-8", newline="") as handle:
        handle.write(bom + end.join(sep.join(row) for row in [header, *rows]) + end)
top = max(sums, key=lambda branch: sums[branch])
print(json.dumps({"total": "%.2f" % (sum(sums.values()) / 100), "top_branch": top, "count": refs}))
