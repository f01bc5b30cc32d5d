"""Writes what the listing shows, page by page, entries slipping over from one page to the next; prints the truths."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
things = ["Bridge & rail repair", "Corner room, 2nd floor", "Night shift", "Evening class \"Bread\"", "Oak tables, set of 4", "Pump <spare>",
          "Roof survey", "Garden & hedge", "Quay lamps, east side", "Summer choir", "Boiler O'Neil", "Old press, working"]  # fmt: skip
places = rng.sample(["Old Town", "Mill Lane", "Northgate", "Säterö", "St. Anne's", "Upper Quay", "Brücke & Markt"], 4)
numbers = rng.sample(range(100, 9999), p["pages"] * p["per_page"])
entries = [
    {"ref": f"{p['path'][:2].upper()}-{number:04d}", "title": f"{rng.choice(things)} {rng.randint(1, 99)}", "place": rng.choice(places),
     "money": f"{rng.randint(20_000, 4_900_000) / 100:,.2f}"}
    for number in numbers
]  # fmt: skip
pages = [entries[start : start + p["per_page"]] for start in range(0, len(entries), p["per_page"])]
for before, page in zip(pages, pages[1:]):
    if rng.random() < 0.6:
        page.insert(0, before[-1])
with open(f"/home/user/.local/share/listing-{p['ports']['web']}/site.json", "w", encoding="utf-8") as handle:
    json.dump({"pages": pages, "slow": [p["slow_page"]]}, handle)
with open("notes.txt", "w", encoding="utf-8") as handle:
    handle.write(
        "Notes on the listing\n"
        "- it shows newest first, so while people add entries one may appear on two pages\n"
        "- ask too fast and it answers 429; it says in Retry-After how long to wait, and means it\n"
        "- amounts come as EUR with thousands commas\n"
    )
sums = {}
for entry in entries:
    sums[entry["place"]] = sums.get(entry["place"], 0) + round(float(entry["money"].replace(",", "")) * 100)
top = max(sorted(sums), key=lambda place: sums[place])
rows = sorted([e["ref"], e["title"], e["place"], e["money"].replace(",", "")] for e in entries)
print(json.dumps({"place": top, "sum": f"{sums[top] / 100:.2f}", "rows": rows}))
