"""Prints a logger's readings in fixed columns, Latin-1, decimal commas, page heads, some readings missing."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
low, high = kind["low"], kind["high"]
readings = []
for day in range(1, p["days"] + 1):
    for hour in (2, 8, 14, 20):
        for place in kind["place"]:
            when = f"2026-{p['month']:02}-{day:02} {hour:02}:{rng.randrange(60):02}"
            readings.append((when, place, round(rng.uniform(low + (high - low) / 4, high - (high - low) / 4), 1)))
# one day swings more than any other
best = rng.randrange(2, p["days"])
place = rng.choice(kind["place"])
for n, (when, where, _) in enumerate(readings):
    if int(when[8:10]) == best and where == place and when[11:13] in ("08", "14"):
        readings[n] = (when, where, low if when[11:13] == "08" else high)
safe = [n for n, (when, where, _) in enumerate(readings) if not (int(when[8:10]) == best and where == place)]
gone = set(rng.sample(safe, p["missing"]))
lines = []
for n, (when, where, value) in enumerate(readings):
    if n % 24 == 0:
        lines += [f"{'TIME':<17}{'PLACE':<18}{kind['unit']:>10}", "-" * 45]
    shown = "-999,9" if n in gone else f"{value:.1f}".replace(".", ",")
    lines.append(f"{when:<17}{where:<18}{shown:>10}")
with open(kind["file"], "w", encoding="latin-1", newline="\n") as handle:
    handle.write("\n".join(lines) + "\n")
table = [[when, where, f"{value:.1f}"] for n, (when, where, value) in enumerate(readings) if n not in gone]
truth = {"count": len(table), "table": table, "day": f"2026-{p['month']:02}-{best:02}", "place": place}
print(json.dumps({**truth, "swing": f"{high - low:.1f}"}))
