"""Records takes with noise before and after, one of them in stereo, and one that is no WAV at all."""

import array
import json
import math
import os
import random
import sys
import wave

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
total = 0
stereo = rng.randrange(len(p["takes"]))
os.makedirs("takes")
for number, name in enumerate(p["takes"]):
    loud = rng.randint(p["floor"] * 8, 15000)
    tone = rng.uniform(180, 700)
    frames = rng.randint(p["rate"] // 2, p["rate"])
    voice = [round(loud * math.sin(2 * math.pi * tone * i / p["rate"]) * (0.6 + 0.4 * math.sin(i / 900))) for i in range(frames)]
    voice[0] = voice[-1] = p["floor"] * 3
    noise = [[rng.randint(-p["floor"] // 2, p["floor"] // 2) for _ in range(rng.randint(900, 4000))] for _ in "ab"]
    mono = noise[0] + voice + noise[1]
    total += frames
    samples = mono
    if number == stereo:
        samples = [value for middle in mono for value in (middle + 7, middle - 7)]
    data = array.array("h", samples)
    if sys.byteorder == "big":
        data.byteswap()
    with wave.open("takes/%s.wav" % name, "wb") as out:
        out.setnchannels(2 if number == stereo else 1)
        out.setsampwidth(2)
        out.setframerate(p["rate"])
        out.writeframes(data.tobytes())
with open("takes/%s.wav" % p["broken"], "wb") as out:
    out.write(b"OggS\x00\x02" + bytes(rng.randrange(256) for _ in range(900)))
gap = p["rate"] * p["gap"] // 1000
seconds = (total + gap * (len(p["takes"]) - 1)) / p["rate"]
print(json.dumps({"seconds": "%.1f" % seconds}))
