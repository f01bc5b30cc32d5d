"""Writes files, a log of two batches (moves, renames in a chain, copies), and one file that was changed since."""

import hashlib
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
names = p["kind"]["names"]
at, log = {}, []  # path -> text
for n, name in enumerate(names):
    at[f"inbox/{name}.txt"] = f"{p['kind']['what']}: {name}\nno. {rng.randrange(100, 999)}\n"


def step(batch, do, source, target):
    text = at[source] if do == "copy" else at.pop(source)
    at[target] = text
    log.append({"batch": batch, "do": do, "from": source, "to": target, "sha256": hashlib.sha256(text.encode()).hexdigest()})


for name in names[6:]:
    step(1, "move", f"inbox/{name}.txt", f"filed/{rng.choice(['a-m', 'n-z'])}/{name}.txt")
before = dict(at)
changed = names[0]
steps = [("move", f"inbox/{name}.txt", f"wrong/{rng.choice(['2019', '2020'])}/{name}.txt") for name in names[:6]]
rng.shuffle(steps)
for do, source, target in steps[: p["moves"] - 1]:
    step(2, do, source, target)
moved = {Path(s["to"]).stem: s["to"] for s in log if s["batch"] == 2}
pool = [name for name in moved if name != changed]
chained, copied = rng.sample(pool, 2)
step(2, "rename", moved[chained], f"wrong/{chained}-{rng.randrange(10, 99)}.txt")
step(2, "copy", moved[copied], f"copies/{copied}.txt")
if changed not in moved:
    step(2, "move", f"inbox/{changed}.txt", f"wrong/2020/{changed}.txt")
    moved[changed] = f"wrong/2020/{changed}.txt"
second = [s for s in log if s["batch"] == 2]
at[moved[changed]] += "corrected by hand\n"
for path, text in at.items():
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(text, "utf-8")
Path("inbox").mkdir(exist_ok=True)
Path("log.jsonl").write_text("".join(json.dumps(s) + "\n" for s in log), "utf-8")
after = {path: text for path, text in before.items() if path != f"inbox/{changed}.txt"}
after[moved[changed]] = at[moved[changed]]
print(json.dumps({"files": after, "undone": len(second) - 1, "left": moved[changed]}))
