"""Writes weekly samples of disk use in mixed units; one volume was cleaned up in the middle."""

import json
import math
import os
import random
from datetime import date, timedelta

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
volumes = p["kind"]["volumes"]
begin = date(2026, 1, rng.randint(3, 27))
cleaned = rng.choice(volumes)
drop = rng.randint(4, p["weeks"] - 4)
rows, sizes, fulls = [], {}, {}
while True:
    rows, sizes, fulls, table = [], {}, {}, []
    for volume in volumes:
        used, series = rng.randint(300, 900), []
        for week in range(p["weeks"]):
            used = used // 3 if volume == cleaned and week == drop else used + rng.randint(8, 60)
            series.append((begin + timedelta(weeks=week), used))
        size = used + rng.randint(100, 900)
        sizes[volume] = {"gib": size, "mount": f"/srv/{volume}"}
        start = drop if volume == cleaned else 0
        (since, low), (last, high) = series[start], series[-1]
        pace = (high - low) / (last - since).days
        days = math.ceil((size - high) / pace - 1e-9)
        table.append([volume, f"{pace:.2f}", str(last + timedelta(days=days))])
        for day, gib in series:
            unit = rng.choice(["GiB", "GiB", "MiB", "TiB"])
            shown = {"GiB": f"{gib}", "MiB": f"{gib * 1024}", "TiB": f"{gib / 1024:.10f}".rstrip("0")}[unit]
            rows.append(f"{day},{volume},{shown} {unit}")
    table.sort(key=lambda row: row[2])
    if len({row[2] for row in table}) == len(table):
        break
rng.shuffle(rows)
with open("usage.csv", "w", encoding="utf-8") as handle:
    handle.write("date,volume,used\n" + "\n".join(rows) + "\n")
with open("volumes.json", "w", encoding="utf-8") as handle:
    json.dump(sizes, handle, indent=1)
print(json.dumps({"table": table, "first": table[0][0], "day": table[0][2]}))
