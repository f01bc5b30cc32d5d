"""The translated captions are those of the seed, line by line."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/{p['stem']}.{p['lang']}.vtt", encoding="utf-8", newline="") as handle:
    now = handle.read().rstrip("\n").split("\n")
want = truth["done"].rstrip("\n").split("\n")
assert now == want, next(((a, b) for a, b in zip(now, want) if a != b), f"{len(now)} lines, expected {len(want)}")
