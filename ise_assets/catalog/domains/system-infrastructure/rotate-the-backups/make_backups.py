"""Writes a series of daily dumps, some of them torn, and a note about one that must stay; prints what should be left."""

import datetime
import gzip
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
first = datetime.date(2025, p["start_month"], 5)
dates = [first + datetime.timedelta(days=day) for day in range(p["days"]) if day in (0, p["days"] - 1) or rng.random() < 0.9]
hold = datetime.date(2025, p["start_month"], p["hold_day"])
dates = sorted({*dates, hold})
second = next(date for date in dates if date.month != first.month)
others = [date for date in dates[1:-1] if date not in (hold, second)]
torn = {dates[-1], second, *rng.sample(others, p["torn"])}
os.makedirs(p["store"], exist_ok=True)
for date in dates:
    lines = "".join(f"INSERT INTO {p['db']} VALUES ({n}, {rng.randint(100, 99999)});\n" for n in range(40))
    data = gzip.compress(f"-- {p['db']} {date}\n{lines}".encode(), mtime=0)
    if date in torn:
        data = data[: len(data) * 2 // 3]
    with open(f"{p['store']}/{p['db']}-{date}.sql.gz", "wb") as handle:
        handle.write(data)
with open(f"{p['store']}/HOLD.md", "w", encoding="utf-8") as handle:
    handle.write(f"Do not delete {p['db']}-{hold}.sql.gz: {p['reason']}. It comes on top of what the rule keeps.\n")
whole = [date for date in dates if date not in torn]
monthly = {min(date for date in whole if date.month == month) for month in {date.month for date in whole}}
keep = {*whole[-p["daily"] :], *monthly, hold}
print(
    json.dumps(
        {
            "keep": sorted(f"{p['db']}-{date}.sql.gz" for date in keep),
            "torn": sorted(f"{p['db']}-{date}.sql.gz" for date in torn),
            "deleted": len(whole) - len(keep),
        }
    )
)
