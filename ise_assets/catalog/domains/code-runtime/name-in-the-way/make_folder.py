"""Writes a report, a helper that bears the name of a library module, and the scripts that use it; prints the truths."""

import json
import os
import random
import statistics
from calendar import monthrange

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
shadow, column, users, low, high = p["shadow"]["name"], p["column"], p["users"], p["low"], p["high"]


def put(path, text):
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


put(
    "report.py",
    f'''"""Reports the {p["what"]}: place;median;days with a reading/days of the month."""
import argparse
import calendar
import csv
import json
import os
import statistics

HERE = os.path.dirname(os.path.abspath(__file__))
SUMMARIES = {{"median": statistics.median, "highest": max, "lowest": min}}
parser = argparse.ArgumentParser(prog="report.py")
parser.add_argument("--month", required=True, help="like 2025-07")
parser.add_argument("--by", choices=SUMMARIES, default="median", help="what is told of a place's readings")
options = parser.parse_args()
month = options.month
with open(os.path.join(HERE, "places.json"), encoding="utf-8") as handle:
    places = json.load(handle)
with open(os.path.join(HERE, "readings.csv"), encoding="utf-8", newline="") as handle:
    rows = list(csv.DictReader(handle, delimiter=";"))
days = calendar.monthrange(*map(int, month.split("-")))[1]
readings = {{}}
for row in rows:
    if row["day"].startswith(month):
        # a place may be read again on the same day, then the last one counts
        readings.setdefault(row["place"], {{}})[row["day"]] = float(row["{column}"])
for code, name in places.items():
    of = readings.get(code)
    if of:
        print("%s;%.2f;%d/%d" % (name, SUMMARIES[options.by](of.values()), len(of), days))
''',
)
put(
    f"{shadow}.py",
    f'''"""{p["shadow"]["about"]}"""
import sys

GRADES = {{"low": {low}, "normal": {high}}}


def grade(figure):
    """The first grade whose limit is not reached, else high."""
    for name, limit in GRADES.items():
        if figure < limit:
            return name
    return "high"


if __name__ == "__main__" and "--check" in sys.argv:
    print("%d grades in order" % (len(GRADES) + 1))
''',
)
figures = rng.sample(range(2, 48), 6)
put(f"{users[0]}.py", f'"""Prints the {users[0]}."""\nfrom {shadow} import grade\n\nfor figure in {figures}:\n    print("{users[0]}:", figure, grade(figure))\n')
put(f"{users[1]}.py", f'"""Prints the legend of the {users[1]}."""\nimport {shadow} as rules\n\nfor name, limit in rules.GRADES.items():\n    print("{users[1]}: %s is below %d" % (name, limit))\n')
put("nightly.sh", f'#!/bin/bash\n# checks the rules of {p["colleague"]} before the night run\nset -eu\ncd "$(dirname "$0")"\npython3 -B {shadow}.py --check\n')

codes = dict(zip(rng.sample(["A1", "B7", "C3", "D2", "E9", "F4", "G8"], len(p["places"])), p["places"]))
put("places.json", json.dumps(codes, ensure_ascii=False, indent=1) + "\n")
months = sorted({p["month"]["key"], "2025-10"})
while True:
    lines, kept = [], {month: {} for month in months}
    for month in months:
        last = monthrange(*map(int, month.split("-")))[1]
        for day in range(1, last + 1):
            for code in codes:
                if rng.random() < 0.2:
                    continue
                for _ in range(2 if rng.random() < 0.06 else 1):
                    halves = rng.randint(8, 90)
                    kept[month].setdefault(code, {})[day] = halves / 2
                    text = f"{halves / 2:g}"
                    lines.append(f"{month}-{day:02d};{code};{text.replace('.', ',') if rng.random() < 0.1 else text}")
    medians = {code: statistics.median(of.values()) for code, of in kept[p["month"]["key"]].items()}
    best = sorted(medians.values())[-2:]
    # one clear winner, and the first line of the month that has a comma is not in another month
    if best[0] < best[1] and any("," in line and line.startswith(p["month"]["key"]) for line in lines):
        break
put("readings.csv", f"day;place;{column}\n" + "\n".join(lines) + "\n")
reports = {
    month: "".join(
        f"{name};{statistics.median(kept[month][code].values()):.2f};{len(kept[month][code])}/{monthrange(*map(int, month.split('-')))[1]}\n"
        for code, name in codes.items()
    )
    for month in months
}
top = max(medians, key=lambda code: medians[code])
mine = kept[p["month"]["key"]][top]
outputs = {
    f"{users[0]}.py": "".join(f"{users[0]}: {n} {'low' if n < low else 'normal' if n < high else 'high'}\n" for n in figures),
    f"{users[1]}.py": f"{users[1]}: low is below {low}\n{users[1]}: normal is below {high}\n",
    "nightly.sh": "3 grades in order\n",
}
with open(f"{shadow}.py", encoding="utf-8") as handle:
    helper = handle.read()
print(json.dumps({
    "top": codes[top], "median": f"{medians[top]:.2f}", "missing": monthrange(*map(int, p["month"]["key"].split("-")))[1] - len(mine),
    "reports": reports, "outputs": outputs, "helper": helper,
}))  # fmt: skip
