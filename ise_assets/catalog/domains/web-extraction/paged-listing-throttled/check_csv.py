"""The CSV holds every entry of every page once, sorted by ref, titles and places as a reader sees them."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/{p['path']}.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.reader(handle))
assert rows[0] == ["ref", "title", "place", p["money"]], f"the header is {rows[0]}"
got = [[ref, title.strip(), place.strip(), f"{float(money):.2f}"] for ref, title, place, money in rows[1:]]
wrong = [row for row in got if row not in truth["rows"]]
assert not wrong, f"not on the site like this: {wrong[0]}"
assert got == truth["rows"], f"{len(got)} rows, expected {len(truth['rows'])}, sorted by ref"
