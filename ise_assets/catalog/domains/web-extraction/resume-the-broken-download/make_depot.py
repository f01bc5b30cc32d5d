"""Writes the depot's files, their sums, and a part of an older edition in the user's folder."""

import hashlib
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
name = p["kind"]["file"]
data = rng.randbytes(p["size"] * 1024 + rng.randrange(1, 1000))
folder = f"/home/user/.local/share/depot-{p['ports']['web']}/files"
os.makedirs(folder)
sums = ""
for file, body in ((f"old-{name}", rng.randbytes(2000)), (name, data), ("readme.txt", b"resumable\n")):
    with open(f"{folder}/{file}", "wb") as handle:
        handle.write(body)
    sums += f"{hashlib.sha256(body).hexdigest()}  {file}\n"
with open(f"{folder}/SHA256SUMS", "w", encoding="ascii") as handle:
    handle.write(sums)
with open(f"{name}.part", "wb") as handle:
    handle.write(rng.randbytes(rng.randrange(80_000, 180_000)))
with open("README.md", "w", encoding="utf-8") as handle:
    handle.write(f"# {p['kind']['what']}\n\nWhat came from the depot. Checksums lie beside the files.\n")
print(json.dumps({"size": len(data), "sum": hashlib.sha256(data).hexdigest()}))
