"""Writes the legs of a journey in local times and a table of offsets; prints the events in UTC."""

import datetime as dt
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
offsets = {"Reykjavík": 0, "Zürich": 60, "Athens": 120, "Tehran": 210, "Colombo": 330, "Kathmandu": 345, "Tokyo": 540, "Adelaide": 570,
           "Apia": 780, "Honolulu": -600, "Marquesas": -570, "Denver": -420, "St. John's": -210, "São Paulo": -180}  # fmt: skip
route = rng.sample(sorted(offsets), p["legs"] + 1)
moment = dt.datetime(2026, 5, rng.randint(2, 9), rng.randint(4, 22), rng.choice([0, 10, 25, 40]))
durations = rng.sample(range(95, 1300), p["legs"])
cancelled = rng.randrange(1, p["legs"] - 1)
rows, events = [], []
for n, (start, end, lasts) in enumerate(zip(route, route[1:], durations)):
    arrives = moment + dt.timedelta(minutes=lasts)
    leg = f"L{rng.randint(10, 99)}{chr(65 + n)}"
    here, there = moment + dt.timedelta(minutes=offsets[start]), arrives + dt.timedelta(minutes=offsets[end])
    state = rng.choice(["cancelled", "Cancelled"]) if n == cancelled else "ok"
    rows.append(
        [
            leg,
            start,
            f"{here:%d.%m.%Y %H:%M}",
            end,
            f"{there:%d.%m.%Y %H:%M}",
            rng.choice(["air", "ship", "rail"]),
            state,
        ]
    )
    if n != cancelled:
        events.append([leg, f"{start} - {end}", f"{moment:%Y%m%dT%H%M%SZ}", f"{arrives:%Y%m%dT%H%M%SZ}", lasts])
    moment = arrives + dt.timedelta(minutes=rng.randint(90, 3000))
with open(p["file"] + ".csv", "w", encoding="utf-8", newline="") as out:
    out.write("\ufeffleg;from;departs;to;arrives;by;state\r\n" + "".join(";".join(row) + "\r\n" for row in rows))
with open("offsets.csv", "w", encoding="utf-8") as out:
    out.write("town;utc\n")
    for n, (town, minutes) in enumerate(sorted(offsets.items())):
        sign = "+" if minutes >= 0 else rng.choice(["-", "\N{MINUS SIGN}"])
        out.write(f"{town};{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}\n")
longest = max(events, key=lambda event: event[4])
print(
    json.dumps({"events": [e[:4] for e in events], "longest": longest[0], "lasts": "%d:%02d" % divmod(longest[4], 60)})
)
