"""The branches that are open then, sorted."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/open.txt", encoding="utf-8") as handle:
    names = [line.strip() for line in handle if line.strip()]
assert names == truth["open"], f"{names} should be {truth['open']}"
print(len(names), "open")
