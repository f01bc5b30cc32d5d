"""Writes small PPM pictures, plain and binary, some with comments; prints size and atlas of the sheet."""

import hashlib
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
names = sorted(p["names"])
plain = set(rng.sample(names, 2))
commented = {rng.choice(sorted(plain)), rng.choice([n for n in names if n not in plain])}
x, high, atlas = 0, 0, {}
for name in names:
    w, h = rng.randint(5, 24), rng.randint(5, 24)
    a, b, c = (rng.randint(1, 40) for _ in "abc")
    pixels = [(i * a + i // w * b + c * (i % 3)) % 256 for i in range(w * h * 3)]
    head = (
        ("P3" if name in plain else "P6")
        + "\n"
        + ("# drawn by hand, 2 layers\n" if name in commented else "")
        + f"{w} {h}\n255\n"
    )
    with open(name + ".ppm", "wb") as out:
        out.write(head.encode())
        if name in plain:
            lines = [" ".join(map(str, pixels[n : n + 15])) for n in range(0, len(pixels), 15)]
            out.write(("\n".join(lines) + "\n").encode())
        else:
            out.write(bytes(pixels))
    atlas[name] = {"x": x, "y": 0, "w": w, "h": h}
    x, high = x + w + p["gap"], max(high, h)
listing = "".join(f"{hashlib.sha256(open(n + '.ppm', 'rb').read()).hexdigest()}  {n}.ppm\n" for n in names)
print(
    json.dumps(
        {"width": x - p["gap"], "height": high, "atlas": atlas, "sums": hashlib.sha256(listing.encode()).hexdigest()}
    )
)
