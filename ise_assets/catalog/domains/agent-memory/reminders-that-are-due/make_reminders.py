"""Writes reminders with repeats and papers that prove some of them done; prints reminders and what is due afterwards."""

import calendar
import datetime as dt
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
today = dt.date.fromisoformat(p["today"])
jobs = ["oil the hinges", "clear the gutter", "test the alarm", "pay the rent", "sharpen the tools", "check the mousetraps", "order coal", "air the cellar", "count the keys", "write to the owner", "wash the windows", "change the filter"]
jobs = rng.sample(jobs, p["items_n"])
repeats = ["monthly", "quarterly", "yearly", "every 10 days", "every 21 days", None]


def later(day, repeat, n):
    if repeat.startswith("every"):
        return day + dt.timedelta(days=int(repeat.split()[1]) * n)
    total = day.year * 12 + day.month - 1 + {"monthly": 1, "quarterly": 3, "yearly": 12}[repeat] * n
    year, month = divmod(total, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


lines, after, papers, done = [], [], [], 0
for n, job in enumerate(jobs):
    repeat = ["monthly", "yearly", None, "every 10 days"][n] if n < 4 else rng.choice(repeats)
    day = dt.date(2026, 3, 31) if n == 0 else today + dt.timedelta(days=rng.randrange(-40, 25))
    name = f"{job}"
    shown = f"{name} ({repeat})" if repeat else name
    lines.append(f"- {day} {shown}")
    is_done = n in (0, 2, 3) or (n > 4 and day <= today and rng.random() < 0.35)
    if n in (2, 3):
        day = today - dt.timedelta(days=rng.randrange(16, 30))
        lines[-1] = f"- {day} {shown}"
    if is_done:
        when = min(today, day + dt.timedelta(days=rng.randrange(0, 12)))
        papers.append((name, when))
        done += 1
        if repeat:
            k = 1
            while later(day, repeat, k) <= when:
                k += 1
            after.append(f"- {later(day, repeat, k)} {shown}")
    else:
        if rng.random() < 0.3:  # an older proof, of the time before
            papers.append((name, day - dt.timedelta(days=rng.randrange(3, 30))))
        after.append(lines[-1])
head = (
    f"# Reminders for the {p['place']}\n\nRules: a reminder is `- DATE NAME (REPEAT)`. It is done when a paper shows the job done on its date or later. "
    "Then it moves on from its own date by its repeat, as often as needed to lie after the day it was done; the day of the month stays, or is the last one "
    "where the month is shorter. Without a repeat it is removed. The order of the lines stays.\n\n"
)
folder = Path(p["home"], "memory", p["slug"])
folder.mkdir(parents=True)
(folder / "reminders.md").write_text(head + "\n".join(lines) + "\n", "utf-8")
papers += [("sweep the yard", today), ("feed the cat", today - dt.timedelta(days=4))]
rng.shuffle(papers)
for n, (name, when) in enumerate(papers):
    shown = name.capitalize() if rng.random() < 0.4 else name
    Path(f"{n + 10}-{rng.choice(['bill', 'slip', 'note'])}.txt").write_text(f"no. {rng.randrange(100, 999)}\njob: {shown}\ndone: {when}\n", "utf-8")
due = []
for line in after:
    day, name = line[2:].split(" (")[0].split(" ", 1)
    if day <= p["today"]:
        due.append((day, name))
late = sum((today - dt.date.fromisoformat(day)).days > 14 for day, _ in due)
words = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
print(json.dumps({"note": head + "\n".join(after) + "\n", "due": "".join(f"{d} {n}\n" for d, n in sorted(due)), "done": done, "late": late, "late_word": words[late]}))
