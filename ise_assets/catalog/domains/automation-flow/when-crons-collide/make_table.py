"""Writes a cron table in which one job starts while another runs, and a third blocks the next full hour."""

import datetime
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
first, second, third, fourth = p["kind"]["jobs"]
h, m = p["a_hour"], p["a_minute"]
at = h * 60 + m + p["gap"]
takes = {first: p["long"], second: rng.randrange(12, 25), third: rng.randrange(35, 50), fourth: rng.randrange(3, 9)}
takes[first] = max(takes[first], p["gap"] + 4)
lines = [
    f"{m} {h} * * * /opt/{p['kind']['thing']}/{first}",
    f"{at % 60} {at // 60} * * {p['days']} /opt/{p['kind']['thing']}/{second}",
    f"5 {h + 2} * * * /opt/{p['kind']['thing']}/{third}",
    f"50 {h + 8}-{h + 14}/3 * * 0-6 /opt/{p['kind']['thing']}/{fourth}",
]


def values(field, low, high):
    found = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        a, _, b = (f"{low}-{high}" if span == "*" else span).partition("-")
        found |= set(range(int(a), int(b or a) + 1, int(step or 1)))
    return found


def collisions(table):
    runs = []
    for line in table:
        minute, hour, _, _, weekday, command = line.split(None, 5)
        for n in range(7):
            if (n + 1) % 7 in {x % 7 for x in values(weekday, 0, 7)}:
                for hh in values(hour, 0, 23):
                    for mm in values(minute, 0, 59):
                        start = datetime.datetime(2026, 6, 1 + n, hh, mm)
                        job = command.split("/")[-1]
                        runs.append((start, start + datetime.timedelta(minutes=takes[job]), job))
    runs.sort()
    return sorted((b[0].isoformat(timespec="minutes"), a[2], b[2]) for n, a in enumerate(runs) for b in runs[n + 1 :] if b[0] < a[1])


found = collisions(lines)
hour = at // 60 + 1
while collisions([lines[0], f"0 {hour} * * {p['days']} /x/{second}", *lines[2:]]):
    hour += 1
moved = lines[1].split(None, 2)
after = f"0 {hour} {moved[2]}"
order = rng.sample(range(4), 4)
head = ["# everything here needs the " + p["kind"]["thing"], "SHELL=/bin/sh", ""]
Path("crontab").write_text("\n".join([*head, *(lines[n] for n in order)]) + "\n", "utf-8")
jobs = rng.sample(sorted(takes), 4)
Path("minutes.csv").write_text("job,minutes\n" + "".join(f"{job},{takes[job]}\n" for job in jobs), "utf-8")
table = [*head, *(after if n == 1 else lines[n] for n in order)]
print(json.dumps({"rows": found, "count": len(found), "first": first, "second": second, "hour": hour, "table": table}))
