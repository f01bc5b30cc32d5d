"""The feed is that of the seed with right lengths and durations, byte for byte."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/feed.xml", encoding="utf-8", newline="") as handle:
    now = handle.read().rstrip().split("\n")
want = truth["feed"].rstrip().split("\n")
assert now == want, next(((a, b) for a, b in zip(now, want) if a != b), f"{len(now)} lines, expected {len(want)}")
