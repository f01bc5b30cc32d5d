"""Every branch, every day."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/hours.json", encoding="utf-8") as handle:
    found = json.load(handle)
assert set(found) == set(truth["hours"]), f"branches {sorted(found)}"
for branch, week in truth["hours"].items():
    assert found[branch] == week, f"{branch}: {found[branch]} should be {week}"
print(len(found), "branches")
