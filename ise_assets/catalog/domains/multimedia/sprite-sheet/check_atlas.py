"""The atlas tells place and size of every picture."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/{p['sheet']}.json", encoding="utf-8") as handle:
    atlas = json.load(handle)
assert atlas == truth["atlas"], (atlas, truth["atlas"])
