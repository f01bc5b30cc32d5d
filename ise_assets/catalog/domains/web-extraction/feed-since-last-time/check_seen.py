"""Every id ever seen, with its latest date."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/seen.json", encoding="utf-8") as handle:
    seen = json.load(handle)
wrong = {key for key in {*seen, *truth["after"]} if seen.get(key) != truth["after"].get(key)}
assert not wrong, f"{len(wrong)} ids are not as they should be: {sorted(wrong)[:3]}"
print(len(seen), "ids")
