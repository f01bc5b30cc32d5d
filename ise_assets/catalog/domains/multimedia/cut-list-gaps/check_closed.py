"""The closed list differs from the original in record times only; the line ends may be either."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
now = [
    line.rstrip() for line in open(f"{p['root']}/{p['file']}_closed.edl", encoding="utf-8").read().rstrip().split("\n")
]
want = [line.rstrip() for line in "\n".join(truth["done"]).rstrip().split("\n")]
assert now == want, next(((a, b) for a, b in zip(now, want) if a != b), f"{len(now)} lines, expected {len(want)}")
