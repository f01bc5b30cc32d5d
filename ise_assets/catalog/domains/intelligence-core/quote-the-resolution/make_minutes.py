"""Writes minutes in which the item in question is only ever adjourned; prints where it was last."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
others = [t for t in p["others"]]
months = list(range(1, 13))
adjourned = sorted(rng.sample(months[1:-1], 3))
os.makedirs("minutes", exist_ok=True)
last, cost = "", p["cost"]
for month in months:
    date = f"2025-{month:02d}-{rng.randint(3, 26):02d}"
    items = []
    for topic in rng.sample(others, 3):
        yes = rng.randint(5, 9)
        items.append((topic, f"Resolution {month:02d}/{len(items) + 1}: approved, {rng.randint(5, 90) * 100} EUR, {yes} in favour, {9 - yes} against."))
    if month in adjourned:
        cost += rng.randint(2, 9) * 100
        why = rng.choice(["a second quotation is missing", "the treasurer was absent", "the permit is still open"])
        items.insert(rng.randint(0, 3), (p["project"], f"The proposal now comes to {cost} EUR. Adjourned, because {why}. No vote was taken."))
        last = date
    body = "\n\n".join(f"{n}. {topic}\n{text}" for n, (topic, text) in enumerate(items, 1))
    with open(f"minutes/{date} {p['body']}.txt", "w", encoding="utf-8", newline="") as handle:
        text = f"Minutes of the {p['body']}, {date}\n\n{body}\n"
        handle.write(text.replace("\n", "\r\n") if month % 2 else text)
print(json.dumps({"last": last, "cost": cost}))
