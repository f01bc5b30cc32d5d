"""Writes two quarterly reports in different shapes and the server that publishes them; prints the truths."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
lines = p["lines"]
renamed = rng.choice(lines)
new_name = renamed + " Plus"
while True:
    before = {name: rng.randint(1100, 9800) for name in lines}
    after = {name: max(300, round(before[name] * rng.uniform(0.55, 1.6))) for name in lines}
    change = {name: (after[name] - before[name]) / before[name] * 100 for name in lines}
    order = sorted(lines, key=lambda name: change[name])
    drop = order[0]
    clear = change[order[1]] - change[drop] > 3 and change[drop] < -5
    least = min(lines, key=lambda name: after[name] - before[name])
    if clear and least != drop:
        break
wrong = sum(after.values()) + rng.choice([-1, 1]) * rng.randint(90, 800)
note = rng.randint(2, len(lines) - 1)


def grouped(number, sep):
    return f"{number:,}".replace(",", sep)


def table(names, values, sep):
    cells = "\n".join(
        f"<tr><td>{names.get(name, name)}{'<sup>1</sup>' if names.get(name) else ''}</td>"
        f"<td class=num>{grouped(values[name], sep)}</td><td>{rng.choice(['on plan', 'above plan', 'below plan', ''])}</td></tr>"
        for name in sorted(values, key=lambda name: names.get(name, name))
    )
    return f"<table>\n<tr><th>Line</th><th>Revenue (kEUR)</th><th>Remark</th></tr>\n{cells}\n</table>"


def page(title, body):
    return f"<!doctype html>\n<html><head><title>{title}</title></head><body>\n<h1>{title}</h1>\n{body}\n</body></html>\n"


q, year = p["quarter"], p["year"]
first, second = f"q{q}-{year}", f"q{q + 1}-{year}"
pages = {
    "/": page(p["company"], f'<ul>\n<li><a href="/reports/{first}.html">Q{q} {year}</a></li>\n<li><a href="/reports/{second}.html">Q{q + 1} {year}</a></li>\n</ul>'),
    f"/reports/{first}.html": page(f"Q{q} {year}", f"<p>Total revenue: {grouped(sum(before.values()), '.')} kEUR</p>\n{table({}, before, '.')}"),
    f"/reports/{second}.html": page(
        f"Q{q + 1} {year}",
        f"<p>Total revenue: {grouped(wrong, '&nbsp;')} kEUR</p>\n{table({renamed: new_name}, after, '&nbsp;')}\n<p><sup>1</sup> until Q{q}: {renamed}</p>",
    ),
}
with open(".pages.json", "w", encoding="utf-8") as handle:
    json.dump({"pages": pages, "busy": f"/reports/{second}.html"}, handle)
shown = new_name if drop == renamed else drop
print(json.dumps({"drop": shown, "percent": "%.1f" % change[drop], "stated": wrong, "sum": sum(after.values()),
                  "gap": abs(wrong - sum(after.values())), "before": before, "after": after, "renamed": renamed}))
