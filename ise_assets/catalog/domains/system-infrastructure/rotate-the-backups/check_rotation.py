"""What the rule keeps is in the store, torn dumps are in broken/, and each kept one can be unpacked."""

import gzip
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
store = f"{p['root']}/{p['store']}"
left = sorted(name for name in os.listdir(store) if name.endswith(".gz"))
assert left == truth["keep"], f"missing {sorted(set(truth['keep']) - set(left))}, too many {sorted(set(left) - set(truth['keep']))}"
broken = sorted(os.listdir(f"{store}/broken"))
assert broken == truth["torn"], f"broken/ holds {broken}"
for name in left:
    with gzip.open(f"{store}/{name}", "rt", encoding="utf-8") as handle:
        assert handle.readline().startswith(f"-- {p['db']} "), name
print(len(left), "kept")
