"""Writes a CMX cut list with gaps in its record times; prints the totals by reel and the list without gaps."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
reels = rng.sample(["A001", "A002", "B007", "B011", "C003", "DRONE", "ARCHIV"], 4)


def code(n):
    return f"{n // 90000:02d}:{n // 1500 % 60:02d}:{n // 25 % 60:02d}:{n % 25:02d}"


h, m, s, f = map(int, p["start"].split(":"))
at = closed = ((h * 60 + m) * 60 + s) * 25 + f
gapped = set(rng.sample(range(1, p["events"]), rng.randint(2, 4)))
head = [f"TITLE: {p['film'].upper()}", "FCM: NON-DROP FRAME", ""]
lines, done, totals = list(head), list(head), {}
for n in range(p["events"]):
    reel, lasts = rng.choice(reels), rng.randint(20, 1400)
    source = rng.randint(0, 170000)
    if n in gapped:
        at += rng.randint(1, 60)
    kind = rng.choice(["V     C        ", "V     C        ", "AA/V  C        "])
    start = f"{n + 1:03d}  {reel:<8} {kind} {code(source)} {code(source + lasts)} "
    lines.append(start + f"{code(at)} {code(at + lasts)}")
    done.append(start + f"{code(closed)} {code(closed + lasts)}")
    if rng.random() < 0.6:
        comment = f"* FROM CLIP NAME: TAKE {rng.randint(1, 30)} AT {code(rng.randint(0, 90000))}"
        lines.append(comment)
        done.append(comment)
    if rng.random() < 0.2:
        lines.append("")
        done.append("")
    count, length = totals.get(reel, (0, 0))
    totals[reel] = (count + 1, length + lasts)
    at, closed = at + lasts, closed + lasts
with open(p["file"] + ".edl", "w", encoding="utf-8", newline="") as out:
    out.write("".join(line + "\r\n" for line in lines))
print(
    json.dumps(
        {
            "rows": [[r, str(c), code(n)] for r, (c, n) in sorted(totals.items())],
            "gaps": len(gapped),
            "end": code(closed),
            "done": done,
        }
    )
)
