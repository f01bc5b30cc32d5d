"""Writes a WAV whose header promises more than was recorded, and the recorder's log."""

import array
import json
import os
import random
import struct
import sys

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
rate, count = p["rate"], p["rate"] * p["real"]
step, value, samples = rng.randint(90, 400), 0, array.array("h")
noise = [rng.randint(-step, step) for _ in range(4096)]
for n in range(count):
    value = (value * 7 + noise[n * 31 % 4096] * 8) // 8
    samples.append(max(-32000, min(32000, value)))
if sys.byteorder == "big":
    samples.byteswap()
claimed = rate * p["promised"] * 2
with open(p["file"] + ".wav", "wb") as out:
    out.write(
        b"RIFF"
        + struct.pack("<I", 36 + claimed)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    )
    out.write(b"data" + struct.pack("<I", claimed) + samples.tobytes())
with open("recorder-log.txt", "w", encoding="utf-8") as out:
    out.write(
        f"00:00 start, reserved {p['promised']} s\n{p['real'] // 60:02d}:{p['real'] % 60:02d} card full, writing stopped\n"
    )
    out.write(f"{p['promised'] // 60:02d}:{p['promised'] % 60:02d} stop key\n")
print(json.dumps({"real": p["real"]}))
