"""Writes a cache over its quota: entries with last use, pins, leases, and two names for one file."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
names = rng.sample(p["kind"]["names"], p["entries"])
Path("data").mkdir()
days = rng.sample(range(1, 200), len(names))
index, sizes = {}, {}
ranked = sorted(range(len(names)), key=lambda n: -days[n])  # least recently used first
for rank, n in enumerate(ranked):
    name = names[n]
    file = f"{rng.randrange(16**6):06x}.bin"
    month, day = divmod(200 - days[n], 28)
    entry = {"file": file, "used": f"2026-0{1 + month}-{day + 1:02d}T{rng.randrange(24):02d}:00:00Z"}
    if rank in (0, 4):
        entry["pinned"] = True
    if rank in (1, 5):
        entry["leased_until"] = f"2026-08-0{rng.randint(2, 9)}T08:00:00Z"
    if rank == 2:
        entry["leased_until"] = f"2026-07-{rng.randint(10, 30)}T08:00:00Z"
    index[name] = entry
    sizes[name] = rng.randrange(8, 40)
    Path("data", file).write_bytes(rng.randbytes(sizes[name] * 1024))
shared, other = names[ranked[3]], names[ranked[-1]]
os.remove(f"data/{index[shared]['file']}")
os.link(f"data/{index[other]['file']}", f"data/{index[shared]['file']}")
keys = list(index)
rng.shuffle(keys)
index = {key: index[key] for key in keys}
Path("index.json").write_text(json.dumps(index, indent=1) + "\n", "utf-8")


def used(left):
    return sum({index[n]["file"] if n not in (shared, other) else "both": sizes[other] if n in (shared, other) else sizes[n] for n in left}.values())


total = used(index)
quota = total - sizes[names[ranked[2]]] - p["free"]
left = dict(index)
gone = []
for name in sorted(index, key=lambda n: (index[n]["used"], n)):
    if used(left) <= quota:
        break
    entry = index[name]
    if not entry.get("pinned") and entry.get("leased_until", "") <= "2026-08-01T12:00:00Z":
        del left[name]
        gone.append(name)
Path("README.md").write_text(
    f"# The {p['kind']['what']} cache\n\nquota: {quota} KiB\n\n"
    "- What counts is the size of the files in data; a file with two names (a hard link) counts once.\n"
    "- While the cache is over its quota, the least recently used entry that may go is removed: its file's name in data and its entry in index.json.\n"
    "- Pinned entries never go, leased ones not before the lease is over.\n",
    "utf-8",
)
print(json.dumps({"left": left, "first": gone[0], "kib": used(left), "quota": quota}))
