"""The outline is the tree of the seed, line by line."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
lines = [line.rstrip() for line in open(p["root"] + "/outline.txt", encoding="utf-8") if line.strip()]
assert lines == truth["outline"], next(
    ((a, b) for a, b in zip(lines, truth["outline"]) if a != b), f"{len(lines)} lines"
)
