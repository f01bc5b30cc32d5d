"""The jobs of each runner."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/shares.json", encoding="utf-8") as handle:
    shares = json.load(handle)
for runner, names in truth["shares"].items():
    assert sorted(shares.get(runner, [])) == sorted(names), f"{runner}: {shares.get(runner)} should be {names}"
assert set(shares) == set(truth["shares"]), f"runners {sorted(shares)}"
print(len(shares), "runners")
