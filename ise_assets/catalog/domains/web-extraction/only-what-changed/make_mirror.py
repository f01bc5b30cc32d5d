"""Writes the documents of a server and an older copy of them with their tags."""

import hashlib
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
names = [f"{name}.txt" for name in p["kind"]["names"]]


def document(name, edition):
    lines = [f"{p['kind']['docs']}: {name[:-4]}, edition {edition}"]
    lines += [f"{n}. {rng.choice(['limit', 'rate', 'note', 'value', 'rule'])} {rng.randrange(10, 999)}" for n in range(1, rng.randint(5, 12))]
    return "\n".join(lines) + "\n"


def tag(text):
    return '"' + hashlib.md5(text.encode()).hexdigest()[:10] + '"'


order = rng.sample(names, len(names))
changed, gone = order[: p["changed"]], order[p["changed"] : p["changed"] + rng.randint(1, 2)]
docs, tags = {}, {}
for name in names:
    text = document(name, rng.randint(1, 5))
    with open(name, "w", encoding="utf-8") as handle:
        handle.write(text)
    tags[name] = tag(text)
    if name in changed:
        text = document(name, rng.randint(6, 9))
    if name not in gone:
        docs[name] = (text, tag(text))
with open("etags.json", "w", encoding="utf-8") as handle:
    json.dump(tags, handle, indent=1)
folder = f"/home/user/.local/share/docs-{p['ports']['web']}"
with open(f"{folder}/site.json", "w", encoding="utf-8") as handle:
    json.dump({"docs": docs, "gone": gone, "quota": 5}, handle)
print(json.dumps({"changed": len(changed), "gone": len(gone), "docs": docs, "names": sorted(gone)}))
