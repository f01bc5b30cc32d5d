"""Every page that may be read, with its title, and no other."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/index.json", encoding="utf-8") as handle:
    found = json.load(handle)
wrong = sorted(path for path in {*found, *truth["index"]} if found.get(path) != truth["index"].get(path))
assert not wrong, f"{len(wrong)} paths are not as they should be: {wrong[:3]}"
print(len(found), "titles")
