"""Writes the rows of half a year, the dates in the form's own style, and the number of parts."""

import datetime
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
style = {"us": "%m/%d/%Y", "de": "%d.%m.%Y", "iso": "%Y-%m-%d"}[p["style"]]
units = [f"{p['kind']['unit']} {n}" for n in rng.sample(range(1, 40), 3)]
rows, days = [], {}
day = datetime.date(2026, 1, 1)
while day < datetime.date(2026, 7, 1):
    days[day.strftime(style)] = day.isoformat()
    for unit in units:
        if rng.random() < 0.7:
            rows.append([day.isoformat(), unit, str(rng.randrange(1, 400))])
    day += datetime.timedelta(days=1)
header = f"day,{p['kind']['unit']},{p['kind']['col']}\n"
site = {"rows": rows, "days": days, "header": header, "parts": p["parts"], "hint": "e.g. " + datetime.date(2025, 11, 30).strftime(style)}
with open(f"/home/user/.local/share/form-{p['ports']['web']}/site.json", "w", encoding="utf-8") as handle:
    json.dump(site, handle)
wanted = [row for row in rows if row[0].startswith(f"2026-0{p['month']}-")]
text = header + "".join(",".join(row) + "\n" for row in wanted)
print(json.dumps({"text": text, "total": sum(int(row[2]) for row in wanted)}))
