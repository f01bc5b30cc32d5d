"""The totals by reel are those of the seed."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/reels.csv", encoding="utf-8", newline="") as handle:
    rows = list(csv.reader(handle))
assert rows == [["reel", "events", "duration"], *truth["rows"]], rows
