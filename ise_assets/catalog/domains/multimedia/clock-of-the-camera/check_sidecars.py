"""Every sidecar says what it should; its layout is free."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
names = sorted(n for n in os.listdir(p["root"]) if n.endswith(".json"))
assert names == sorted(stem + ".json" for stem in truth["right"]), names
for stem, about in truth["right"].items():
    with open(f"{p['root']}/{stem}.json", encoding="utf-8") as handle:
        now = json.load(handle)
    assert now == about, f"{stem}: {now}, expected {about}"
