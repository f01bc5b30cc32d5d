"""Writes a log of states with repetitions and two zones, and planned work; prints minutes down."""

import datetime as dt
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
UTC, EAST = dt.timezone.utc, dt.timezone(dt.timedelta(hours=2))
begin = dt.datetime(2026, p["month"]["number"], 1, tzinfo=UTC)
total = p["month"]["days"] * 1440
end = begin + dt.timedelta(minutes=total)
lines, planned, rows, longest = [], [], [], {}


def shown(when):
    return when.astimezone(EAST).isoformat() if rng.random() < 0.3 else when.strftime("%Y-%m-%dT%H:%M:%SZ")


services = rng.sample(p["kind"]["services"], 4)
early, late, worked = services[0], services[1], services[2]
for service in services:
    spans = []
    starts = sorted(rng.sample(range(2, total // 400 - 2), p["events"]))
    for n, slot in enumerate(starts):
        length = rng.randrange(4, 90) * (6 if service == services[3] else 1) % 350 + 3
        spans.append((slot * 400, slot * 400 + length))
    if service == early:
        spans.insert(0, (-rng.randrange(30, 300), rng.randrange(20, 200)))
    if service == late:
        spans.append((total - rng.randrange(60, 300), None))
    work = []
    if service == worked:
        a, b = spans[1]
        work.append((a - 10, a + max(2, (b - a) // 2)))
        work.append((spans[2][1] + 5, spans[2][1] + 35))
    minutes = []
    lines.append((begin - dt.timedelta(days=20), service, "UP"))
    for a, b in spans:
        lines.append((begin + dt.timedelta(minutes=a), service, "DOWN"))
        if b is not None:
            if rng.random() < 0.5 and b - a > 4:
                lines.append((begin + dt.timedelta(minutes=a + (b - a) // 2), service, "DOWN"))
            lines.append((begin + dt.timedelta(minutes=b), service, "UP"))
            if rng.random() < 0.3:
                lines.append((begin + dt.timedelta(minutes=b + 3), service, "UP"))
        x, y = max(a, 0), min(total if b is None else b, total)
        off = sum(max(0, min(y, v) - max(x, u)) for u, v in work)
        minutes.append(y - x - off)
    for u, v in work:
        planned.append(f"{service},{shown(begin + dt.timedelta(minutes=u))},{shown(begin + dt.timedelta(minutes=v))}")
    rows.append([service, sum(minutes), f"{100 * (total - sum(minutes)) / total:.3f}"])
    longest[service] = max(minutes)
lines.append((end + dt.timedelta(minutes=rng.randrange(30, 90)), late, "UP"))
lines.sort()
Path("states.log").write_text("".join(f"{shown(when)} {service} {state} {rng.choice(['probe=3', 'probe=1'])}\n" for when, service, state in lines), "utf-8")
Path("planned.csv").write_text("service,from,to\n" + "\n".join(planned) + "\n", "utf-8")
ranked = sorted(rows, key=lambda row: -row[1])
assert ranked[0][1] > ranked[1][1]
print(json.dumps({"rows": sorted([s, str(m), x] for s, m, x in rows), "worst": ranked[0][0], "longest": longest[ranked[0][0]]}))
