"""Everybody who may be listed, by unit and name."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/contacts.json", encoding="utf-8") as handle:
    found = json.load(handle)
found = {unit: people for unit, people in found.items() if people}
right = {unit: people for unit, people in truth["contacts"].items() if people}
for unit in right:
    assert found.get(unit) == right[unit], f"{unit}: {found.get(unit)} should be {right[unit]}"
assert set(found) == set(right), f"units {sorted(found)}"
print(sum(map(len, found.values())), "people")
