"""Recomputes which of the synced cues go by too fast."""

import json
import os
import re

p = json.loads(os.environ["PARAMS"])
text = open(f"{p['root']}/{p['film']}.synced.srt", encoding="utf-8").read()
want = []
for block in re.split(r"\n{2,}", text.strip()):
    number, times, words = block.split("\n", 2)
    a, b = [sum(int(x) * f for x, f in zip(re.split("[:,.]", t), (3600000, 60000, 1000, 1))) for t in times.split(" --> ")]
    if len(words) * 1000 / (b - a) > p["limit"]:
        want.append(number)
got = open(f"{p['root']}/too-fast.txt", encoding="utf-8").read().split()
assert want and got == want, f"too-fast.txt lists {got}, expected {want}"
