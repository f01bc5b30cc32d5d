"""A due-date script, the closed days, loans with and without a due date, and the rule in the notes."""

import calendar
import datetime
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
year, slug = p["year"], p["subject"]["slug"]


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


put(
    "due.py",
    '''"""Tells when something is due back: due.py START MONTHS"""

import sys
from datetime import date


def due(start, months):
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return start.replace(year=year, month=month + 1)


if __name__ == "__main__":
    print(due(date.fromisoformat(sys.argv[1]), int(sys.argv[2])))
''',
)
summer = datetime.date(year, 8, rng.randint(2, 9))
single = [datetime.date(year, 5, 1), datetime.date(year, rng.choice([4, 9]), 17)]
ranges = [
    (datetime.date(year, 12, 24), datetime.date(year + 1, 1, 2)),
    (summer, summer + datetime.timedelta(days=rng.randint(9, 20))),
    (datetime.date(year, 2, 28), datetime.date(year, 3, 4)),
]
text = "\ufeff# when we are closed, besides the usual days\n"
text += f"{single[0]}  # May Day\n{ranges[1][0]}..{ranges[1][1]}  # summer\n\n{single[1]} # stocktaking, ask {rng.randint(3, 9)}\n"
text += f"{ranges[0][0]} .. {ranges[0][1]}\n{ranges[2][0]}..{ranges[2][1]}   # repairs\n"
put("closed.txt", text)
closed = set(single)
for first, last in ranges:
    closed |= {first + datetime.timedelta(days=n) for n in range((last - first).days + 1)}


def due(start, months):
    y, m = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = datetime.date(y, m + 1, min(start.day, calendar.monthrange(y, m + 1)[1]))
    while day in closed or day.weekday() in (6, p["weekday"]["n"]):
        day += datetime.timedelta(days=1)
    return day


memory = f"{p['home']}/memory/{slug}"
put(
    f"{memory}/rules.md",
    f"""# Rules of {slug}

- {year - 2}-03-05 due dates in {slug}: so many months later; on a closed day it is due the day before
- {year - 2}-03-05 we are closed on Sundays and {p["weekday"]["name"]}s, and on the days in closed.txt
- {year - 1}-06-11 due dates in {slug} changed: on a closed day it is due on the next day that we are open, no longer the day before
- {year - 1}-06-11 where a month has no such day, its last day counts (then as above)
- dates agreed by hand are never changed
""",
)
put(f"{memory}/people.md", f"# People of {slug}\n\n- the desk is run by three volunteers\n")
starts = [datetime.date(year, m, d) for m, d in ((1, 31), (3, 31), (10, 24), (7, 8), (11, 30), (5, 31))]
starts += [datetime.date(year, rng.randint(1, 11), rng.randint(1, 28)) for _ in range(p["loans"] - 6)]
rows, filled, empty = [], [], 0
for number, start in enumerate(starts):
    months = rng.randint(1, 3)
    agreed = number >= 6 and rng.random() < 0.4
    day = due(start, months) + datetime.timedelta(days=rng.randint(3, 9)) if agreed else due(start, months)
    empty += not agreed
    head = f"{p['subject']['id']}{rng.randint(100, 999)};{start};{months};"
    rows.append((head + (str(day) if agreed else ""), head + str(day)))
rng.shuffle(rows)
title = f"{p['subject']['id']};lent;months;due\n"
put("loans.csv", title + "".join(row[0] + "\n" for row in rows))
cases = [(datetime.date(year, rng.randint(1, 12), rng.randint(1, 28)), rng.randint(1, 12)) for _ in range(12)]
cases += [
    (datetime.date(year, m, d), n)
    for m, d, n in ((1, 31, 1), (1, 30, 1), (10, 31, 2), (12, 31, 2), (8, 31, 6), (7, 9, 1), (11, 25, 1))
]
print(json.dumps({
    "loans": title + "".join(row[1] + "\n" for row in rows), "empty": empty,
    "example": str(due(datetime.date(year, 1, 31), p["months"])), "cases": [[str(s), n, str(due(s, n))] for s, n in cases],
}))  # fmt: skip
