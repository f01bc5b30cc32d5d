"""Writes branch pages whose hours are worded in several ways, some with notices for single days."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
folder = f"/home/user/.local/share/hours-{p['ports']['web']}"
os.makedirs(folder)
names = rng.sample(p["kind"]["names"], rng.randint(5, 7))
date, short, hour = p["day"]["date"], p["day"]["short"], p["hour"]
patterns = [
    # text, then (days, spans)
    ("Mon-Fri 9:00-12:00 and 14:00-18:00; Sat 9:00-13:00; Sun closed", [("Mon-Fri", ["09:00-12:00", "14:00-18:00"]), ("Sat", ["09:00-13:00"])]),
    ("Mon-Thu 8.30 am to noon, 1 pm to 5.30 pm; Fri,Sat 8.30 am to 1.30 pm", [("Mon-Thu", ["08:30-12:00", "13:00-17:30"]), ("Fri-Sat", ["08:30-13:30"])]),
    ("Tue-Sun 10-19; Mon closed", [("Tue-Sun", ["10:00-19:00"])]),
    ("Mon,Wed,Fri 13:00 to 20:00; Sat 10:00 to 14:00", [("Mon", ["13:00-20:00"]), ("Wed", ["13:00-20:00"]), ("Fri", ["13:00-20:00"]), ("Sat", ["10:00-14:00"])]),
    ("Monday-Saturday 7 am to 1 pm", [("Mon-Sat", ["07:00-13:00"])]),
    ("Tue,Thu 9.00-12.30; Wed,Fri 12.30-18.30; Sat,Sun closed", [("Tue", ["09:00-12:30"]), ("Thu", ["09:00-12:30"]), ("Wed", ["12:30-18:30"]), ("Fri", ["12:30-18:30"])]),
    ("Wed-Sat 11 am to 9.15 pm; Sun noon to 6 pm", [("Wed-Sat", ["11:00-21:15"]), ("Sun", ["12:00-18:00"])]),
]
rng.shuffle(patterns)
notices = ["closed", "open", "other day", "closed", *[""] * 3]
hours, doors, links = {}, [], ""
for name, (text, week), notice in zip(names, patterns, notices, strict=False):
    table = {day: [] for day in days}
    for named, spans in week:
        first, _, last = named.partition("-")
        for day in days[days.index(first) : days.index(last or first) + 1]:
            table[day] += [span.split("-") for span in spans]
    hours[name] = table
    now = table[short]
    extra = ""
    if notice == "closed":
        extra, now = f'<p class="notice">{date}: closed ({rng.choice(["stocktaking", "staff outing", "water damage"])})</p>', []
    elif notice == "open":
        start = f"{max(0, int(hour[:2]) - 1):02d}:00"
        end = f"{int(hour[:2]) + 2:02d}:30"
        extra, now = f'<p class="notice">{date}: open {start}-{end}</p>', [[start, end]]
    elif notice == "other day":
        extra = '<p class="notice">2026-06-01: closed</p>'
    if any(a <= hour < b for a, b in now):
        doors.append(name)
    page = f"{name.lower().replace(' ', '-')}.html"

    with open(f"{folder}/{page}", "w", encoding="utf-8") as handle:
        handle.write(f'<!doctype html><html><body>\n<h1>{name}</h1>\n<p class="hours">{text}</p>\n{extra}\n</body></html>\n')
    links += f'<li><a href="{page}">{name}</a></li>\n'
with open(f"{folder}/index.html", "w", encoding="utf-8") as handle:
    handle.write(f"<!doctype html><html><body><ul>\n{links}</ul></body></html>\n")
print(json.dumps({"hours": hours, "open": sorted(doors)}))
