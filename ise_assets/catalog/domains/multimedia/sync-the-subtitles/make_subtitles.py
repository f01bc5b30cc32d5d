"""Writes a film's subtitles as they come from the net: out of sync, misnumbered, with a BOM, CRLF and an advert."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
lines = [
    "Did you lock the boat house?", "Nobody told me about the letter.", "Wait, I can hear the engine.",
    "Für dich ist das nur ein Spiel.", "She left an hour ago.\nWith all of the maps.", "Put it down, slowly.",
    "You always say that.\nAnd then it rains.", "The ferry does not run in winter.", "Whose coat is this?",
    "I counted them twice.", "Café Sørensen, at nine.", "Turn the lamp off!", "He was never on the island.",
    "Give me the other key.\nThe small one.", "That is not my handwriting.", "Then who paid for the tickets?",
]  # fmt: skip
rng.shuffle(lines)
place = rng.randint(5, 9)
texts = [*lines[:place], p["line"], *lines[place:]]
target = (p["minute"] * 60 + p["second"]) * 1000 + p["milli"]
offset = rng.choice([-1, 1]) * rng.randint(1100, 11900)
starts = {place: target - offset}
for number in range(place - 1, -1, -1):
    starts[number] = starts[number + 1] - rng.randint(3600, 4200)
for number in range(place + 1, len(texts)):
    starts[number] = starts[number - 1] + rng.randint(3600, 9000)


def stamp(ms, comma=","):
    return "%02d:%02d:%02d%s%03d" % (ms // 3600000, ms // 60000 % 60, ms // 1000 % 60, comma, ms % 1000)


fast = set(rng.sample(range(len(texts)), rng.randint(2, 4)))
cues = []
for number, text in enumerate(texts):
    speed = p["limit"] * (rng.uniform(1.3, 1.8) if number in fast else rng.uniform(0.55, 0.8))
    lasts = min(3500, int(len(text) / speed * 1000))
    cues.append((starts[number], starts[number] + lasts, text))
swap = rng.randint(1, len(cues) - 3)
cues[swap], cues[swap + 1] = cues[swap + 1], cues[swap]
advert = rng.randint(2, len(cues) - 2)
cues.insert(advert, (cues[0][0] - 4000, cues[0][0] - 2500, "Subtitles by " + p["advert"]))
blocks, label = [], 1
for start, end, text in cues:
    comma = "." if rng.random() < 0.2 else ","
    blocks.append("%d\n%s --> %s\n%s\n" % (label, stamp(start, comma), stamp(end, comma), text))
    label += rng.choice([0, 1, 1, 1, 2])
body = "".join(block + "\n" * rng.choice([1, 1, 2]) for block in blocks)
with open(p["film"] + ".srt", "w", encoding="utf-8", newline="") as handle:
    handle.write("\ufeff" + body.replace("\n", "\r\n"))
print(json.dumps({"fast": len(fast), "cues": len(texts)}))
