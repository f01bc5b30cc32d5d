"""Makes two folders that share files, clash in some names, and have some of their own."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
words = "first second old new short long spring harbour night copper river lantern cedar quiet amber north".split()
subs = ["", "drafts/", "2025/", "with notes/", "ältere/"]
total = p["same"] + p["clash"] + 2 * p["own"]
names = set()
while len(names) < total:
    names.add(f"{rng.choice(subs)}{rng.choice(words)} {rng.choice(words)}{rng.choice(['.txt', '.md', '.csv'])}")
names = rng.sample(sorted(names), total)


def text():
    return "\n".join(" ".join(rng.choices(words, k=6)) for _ in range(rng.randint(2, 6))) + "\n"


first, second = Path(p["who"][0]), Path(p["who"][1])


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")


expected = {}
for n, name in enumerate(names):
    content = text()
    if n < p["same"]:
        put(first, name, content)
        put(second, name, content)
        expected[name] = content
    elif n < p["same"] + p["clash"]:
        other = content.replace(" ", "  ", 1) if n % 2 else text()
        put(first, name, content)
        put(second, name, other)
        stem, dot, ending = name.rpartition(".")
        expected[name] = content
        expected[f"{stem}.{p['who'][1]}{dot}{ending}"] = other
    else:
        put(first if n % 2 else second, name, content)
        expected[name] = content
print(json.dumps({"count": len(expected), "clashes": p["clash"], "expected": expected}))
