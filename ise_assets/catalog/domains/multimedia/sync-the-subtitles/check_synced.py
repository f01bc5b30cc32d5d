"""Recomputes the cues from the original and compares them with the new file, exactly."""

import json
import os
import re

p = json.loads(os.environ["PARAMS"])
TIME = re.compile(r"(\d+):(\d+):(\d+)[,.](\d+)")


def ms(text):
    h, m, s, f = map(int, TIME.match(text).groups())
    return ((h * 60 + m) * 60 + s) * 1000 + f


def stamp(t):
    return "%02d:%02d:%02d,%03d" % (t // 3600000, t // 60000 % 60, t // 1000 % 60, t % 1000)


text = open(f"{p['root']}/{p['film']}.srt", encoding="utf-8-sig", newline="").read().replace("\r\n", "\n")
cues = []
for block in re.split(r"\n{2,}", text.strip()):
    _, times, words = block.split("\n", 2)
    start, end = times.split(" --> ")
    if p["advert"] not in words:
        cues.append((ms(start), ms(end), words))
cues.sort()
target = (p["minute"] * 60 + p["second"]) * 1000 + p["milli"]
shift = target - next(start for start, _, words in cues if words == p["line"])
want = "\n".join(
    f"{n}\n{stamp(start + shift)} --> {stamp(end + shift)}\n{words}\n" for n, (start, end, words) in enumerate(cues, 1)
)
raw = open(f"{p['root']}/{p['film']}.synced.srt", "rb").read()
assert not raw.startswith(b"\xef\xbb\xbf"), "the file starts with a BOM"
assert b"\r" not in raw, "the file has CRLF line ends"
got = raw.decode("utf-8")
assert got.strip() == want.strip(), f"shift should be {shift} ms over {len(cues)} cues; file begins {got[:120]!r}"
