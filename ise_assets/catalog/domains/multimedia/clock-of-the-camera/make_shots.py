"""Writes BMP pictures of two cameras with JSON sidecars, wrong sizes and some sidecars without a picture."""

import datetime as dt
import json
import os
import random
import struct

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
shift = p["sign"] * dt.timedelta(hours=p["hours"], minutes=p["minutes"])
form = "%Y:%m:%d %H:%M:%S"
numbers = rng.sample(range(100, 9999), p["shots"] + 3)
start = dt.datetime(2026, rng.randint(1, 2), rng.randint(3, 25), rng.randint(6, 20))
minutes = rng.sample(range(1, 1200), len(numbers))
right, orphans, shots = {}, [], []
for n, (number, minute) in enumerate(zip(numbers, minutes)):
    stem = f"{rng.choice(['IMG', 'DSC', 'P'])}_{number:04d}"
    camera = p["camera"] if n % 2 == 0 or rng.random() < 0.2 else p["other"]
    real = start + dt.timedelta(minutes=minute, seconds=n)
    shown = real - shift if camera == p["camera"] else real
    width, height = rng.randint(8, 40), rng.randint(8, 40)
    about = {
        "camera": camera,
        "taken": shown.strftime(form),
        "width": 4000,
        "height": 3000,
        "lens": f"{rng.randint(18, 90)} mm",
        "place": rng.choice(["Süd", "gate", "north side"]),
    }
    if n >= p["shots"]:
        orphans.append(stem + ".json")
        right[stem] = about
    else:
        right[stem] = {**about, "taken": real.strftime(form), "width": width, "height": height}
        shots.append((real, stem + ".bmp"))
        row = bytes(rng.randrange(256) for _ in range(3)) * width
        row += bytes(-len(row) % 4)
        body = row * height
        flip = -1 if rng.random() < 0.3 else 1  # rows from the top have a negative height
        with open(stem + ".bmp", "wb") as out:
            out.write(b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54))
            out.write(
                struct.pack("<IiiHHIIiiII", 40, width, height * flip, 1, 24, 0, len(body), 2835, 2835, 0, 0) + body
            )
    with open(stem + ".json", "w", encoding="utf-8") as out:
        json.dump(about, out, indent=1, ensure_ascii=False)
        out.write("\n")
print(json.dumps({"right": right, "orphans": "\n".join(sorted(orphans)) + "\n", "first": min(shots)[1]}))
