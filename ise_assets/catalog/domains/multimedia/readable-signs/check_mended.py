"""The failing ones have a new text colour, all else is as it was, formatting included."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
entries = [{**e, "text": truth["fixed"].get(e["name"], e["text"])} for e in truth["entries"]]
with open(f"{p['root']}/{p['file']}.json", encoding="utf-8") as handle:
    now = handle.read()
loaded = json.loads(now)
low = [{**e, "text": e["text"].lower() if e["name"] in truth["fixed"] else e["text"]} for e in loaded]
assert low == entries, next(((a, b) for a, b in zip(low, entries) if a != b), len(low))
assert len(now.split("\n")) == len(json.dumps(entries, indent=2).split("\n")) + 1, "the file was laid out anew"
