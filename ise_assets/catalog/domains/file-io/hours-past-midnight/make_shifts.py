"""Writes a roster of shifts, many past midnight, with breaks as minutes, h:mm or none; one person once lacks rest."""

import json
import os
import random
from datetime import datetime, timedelta

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
names = rng.sample(["Jörg", "Mira", "Anselm", "Zoë", "Tadeusz", "Inés", "Bjarne", "Käthe", "Oluchi", "Sefa", "Ludo"], p["people"])
kinds = [(6, 14), (14, 22), (21, 5), (20, 4)]
tired = rng.choice(names)
day_of = rng.randrange(1, p["days"] - 2)
rows, worked, gaps = [], {name: 0 for name in names}, []
for name in names:
    last = None
    for day in range(p["days"]):
        begin = datetime(2026, 9, 1) + timedelta(days=day)
        hours = rng.choice(kinds)
        start = begin + timedelta(hours=hours[0], minutes=rng.choice([0, 10, 15, 30, 45]))
        if name == tired and day == day_of + 1:
            start = last + timedelta(hours=rng.randint(7, 10), minutes=rng.choice([0, 20, 35]))
            gaps.append(start)
        elif last is not None and start - last < timedelta(hours=11):
            continue  # a day off
        elif name == tired and day == day_of:
            start = begin + timedelta(hours=14, minutes=15)
            if last is not None and start - last < timedelta(hours=11):
                start = last + timedelta(hours=12)
        end = start + timedelta(minutes=rng.randint(300, 540))
        pause = rng.choice([0, 20, 30, 45, 60, 75])
        shown = rng.choice([pause, pause, f"{pause // 60}:{pause % 60:02}", str(pause) if pause else None])
        worked[name] += (end - start) // timedelta(minutes=1) - pause
        rows.append({"name": name, "date": f"{start:%Y-%m-%d}", "start": f"{start:%H:%M}", "end": f"{end:%H:%M}", "break": shown})
        last = end
rows[rng.randrange(len(rows))]
if not any(isinstance(row["break"], str) and ":" in row["break"] for row in rows):
    row = rows[0]
    pause = row["break"]
    worked[row["name"]] += int(pause or 0) - 65
    row["break"] = "1:05"
rng.shuffle(rows)
with open(p["kind"]["file"], "w", encoding="utf-8") as handle:
    json.dump(rows, handle, ensure_ascii=False, indent=1)
shifts = {name: sum(row["name"] == name for row in rows) for name in names}
table = [[name, shifts[name], f"{worked[name] / 60:.2f}"] for name in sorted(names, key=lambda n: (-worked[n], n))]
total = f"{sum(worked.values()) / 60:.2f}"
print(json.dumps({"table": table, "total": total, "tired": tired, "since": f"{gaps[0]:%Y-%m-%d %H:%M}"}))
