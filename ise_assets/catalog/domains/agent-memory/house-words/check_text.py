"""The text is that of the seed with the valid words."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
now = open(f"{p['root']}/{p['file']}", encoding="utf-8").read().rstrip().split("\n")
want = "\n".join(truth["done"]).rstrip().split("\n")
assert now == want, next(((a, b) for a, b in zip(now, want) if a != b), f"{len(now)} lines, expected {len(want)}")
