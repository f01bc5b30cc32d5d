"""Makes a collection with a checksum list, damages some files, and two backups of which neither is quite right."""

import hashlib
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
files = Path(kind["dir"])
backups = [Path("backups", name) for name in p["backups"]]
for folder in (files, *backups):
    folder.mkdir(parents=True)
names = [f"{kind['name']}-{n:03}.{kind['ext']}" for n in rng.sample(range(1, 400), p["count"])]
names.sort()
good = {name: bytes(rng.randrange(256) for _ in range(rng.randint(300, 900))) for name in names}


def rotten(data):
    spoilt = bytearray(data)
    spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


damaged = sorted(rng.sample(names, p["damaged"]))
lost = damaged[rng.randrange(1, len(damaged) - 1)]
sound = [name for name in names if name not in damaged]
older = set(rng.sample(sound, 4))
for name in names:
    (files / name).write_bytes(rotten(good[name]) if name in damaged else good[name])
    first = second = good[name]
    if name == lost:
        first, second = rotten(good[name]), good[name][:-7]
    elif name in damaged:  # a good copy in one of them, a bad one or none in the other
        bad = rng.choice([rotten(good[name]), b"an older version " + good[name][:200], None])
        first, second = (good[name], bad) if damaged.index(name) % 2 else (bad, good[name])
    elif name in older:
        first = b"an older version " + good[name][:200]
    for folder, data in zip(backups, (first, second)):
        if data is not None:
            (folder / name).write_bytes(data)
mark = rng.choice(["  ", " *"])
lines = [f"{hashlib.sha256(good[name]).hexdigest()}{mark}{name}\n" for name in names]
(files / kind["list"]).write_text("".join(lines))
ends = {
    name: hashlib.sha256((files / name).read_bytes() if name == lost else good[name]).hexdigest() for name in names
}
mended = [name for name in damaged if name != lost]
print(json.dumps({"ends": ends, "lost": lost, "told_first": mended[0], "told_last": mended[-1]}))
