"""Writes a work calendar in UTC with a weekly meeting and a private one in local time; prints the clashes."""

import datetime as dt
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
DAY = dt.timedelta(days=1)
monday = dt.datetime(2026, 3, 9)
offset = dt.timedelta(hours=1)
fixed = monday + p["weekday"] * DAY + dt.timedelta(hours=10, minutes=30)


def fold(line):
    parts = [line[:70]] + [line[i : i + 69] for i in range(70, len(line), 69)]
    return "\r\n ".join(parts)


def event(kind, number, name, start, minutes, extra=()):
    end = start + dt.timedelta(minutes=minutes)
    if kind == "work":
        when = [f"DTSTART:{start - offset:%Y%m%dT%H%M%SZ}", f"DTEND:{end - offset:%Y%m%dT%H%M%SZ}"]
    else:
        when = [f"DTSTART;TZID=Europe/Berlin:{start:%Y%m%dT%H%M%S}", f"DTEND;TZID=Europe/Berlin:{end:%Y%m%dT%H%M%S}"]
    lines = ["BEGIN:VEVENT", f"UID:{kind}-{rng.randrange(10**6):06d}-{number}@calendar.example", "SEQUENCE:0",
             "DTSTAMP:20260105T080000Z", *when, *extra, f"SUMMARY:{name}",
             f"DESCRIPTION:{rng.choice(['Please bring the papers along; ask at the desk for the room in case it was moved again.', 'tbd'])}", "END:VEVENT"]
    return [fold(line) for line in lines]


jour = fixed - 8 * 7 * DAY
work = [event("work", 0, p["fixture"], jour, 60, ["RRULE:FREQ=WEEKLY;UNTIL=20260630T000000Z"])]
private = [event("private", 0, p["appointment"], fixed + dt.timedelta(minutes=30), p["minutes"])]
busy = [(fixed, fixed + dt.timedelta(minutes=60), p["fixture"])]
mine = [(fixed + dt.timedelta(minutes=30), fixed + dt.timedelta(minutes=30 + p["minutes"]), p["appointment"])]


def free(slots, start, end):
    return all(end <= a or start >= b for a, b, _ in slots)


def put(kind, slots, events, names, length):
    for number, name in enumerate(names, 1):
        while True:
            # nothing before nine, so that the early morning stays free for what is moved
            start = monday + rng.randrange(5) * DAY + dt.timedelta(hours=rng.randrange(9, 17), minutes=rng.choice([0, 30]))
            minutes = rng.choice(length)
            end = start + dt.timedelta(minutes=minutes)
            if free(slots, start, end):
                break
        slots.append((start, end, name))
        events.append(event(kind, number, name, start, minutes))


put("work", busy, work, p["meetings"], [30, 60, 90])
put("private", mine, private, p["errands"], [30, 60])
work.append(event("work", 99, "Budget round", monday - 3 * DAY + dt.timedelta(hours=13), 60))
rng.shuffle(work)
rng.shuffle(private)
for name, events in (("work", work), ("private", private)):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//calendar.example//{name}//EN", *sum(events, []), "END:VCALENDAR"]
    with open(name + ".ics", "w", encoding="utf-8", newline="") as handle:
        handle.write("\r\n".join(lines) + "\r\n")
clashes = sorted([f"{a:%Y-%m-%d}", w, m] for a, b, w in busy for c, d, m in mine if a < d and c < b)
with open("private.ics", encoding="utf-8", newline="") as handle:
    original = handle.read()
print(json.dumps({"clashes": clashes, "count": len(clashes), "private": original}))
