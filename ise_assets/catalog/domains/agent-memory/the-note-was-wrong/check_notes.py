"""The notes are those of the seed with the right number, the correction recorded and the history untouched."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
for name, want in truth["right"].items():
    now = open(f"{p['home']}/memory/{p['slug']}/{name}", encoding="utf-8").read()
    lines, wanted = now.rstrip().split("\n"), want.rstrip().split("\n")
    assert lines == wanted, (name, next(((a, b) for a, b in zip(lines, wanted) if a != b), f"{len(lines)} lines"))
