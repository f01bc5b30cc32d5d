"""Writes cards with groups, dates and tags, some of which merely contain the word of the tag."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind, before = p["kind"], p["before"]
old, new, out = kind["old"], kind["new"], kind["groups"][p["kept"]]
Path("cards").mkdir()
others = ["photo", "label", "large", "gift", "copy", f"not-{old}", f"{old}-2019", "box 4"]
plan, cards = [], {}
for n in range(p["records"]):
    group = out if n < 3 else rng.choice([g for g in kind["groups"] if g != out]) if n < 7 else rng.choice(kind["groups"])
    date = f"2025-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    if n in (0, 1, 3, 4, 5):
        date = f"2025-0{rng.randint(1, 5)}-{rng.randint(1, 28):02d}"
    tags = rng.sample(others, rng.randint(0, 3))
    if n in (0, 1, 3, 4, 5) or rng.random() < 0.5:
        tags.insert(rng.randint(0, len(tags)), old)
    if n == 4 and new not in tags:
        tags.append(new)
    if not tags:
        tags = ["photo"]
    line = ", ".join(tags)
    name = f"{group}-{rng.randrange(100, 999)}-{n:02d}.txt"
    text = f"group: {group}\ndate: {date}\ntags: {line}\nnote: {rng.choice(['see drawer', 'tag ' + old + ' was asked for', 'no remarks', 'bequest'])}\n"
    after = text
    if old in tags and date < before:
        changed = ", ".join(dict.fromkeys(new if tag == old else tag for tag in tags))
        plan.append([name, line, changed])
        if group != out:
            after = text.replace(f"tags: {line}\n", f"tags: {changed}\n")
    Path("cards", name).write_text(text, "utf-8")
    cards[name] = [text, after]
plan.sort()
undo = [row[:2] for row in plan if cards[row[0]][0] != cards[row[0]][1]]
print(json.dumps({"plan": plan, "undo": undo, "planned": len(plan), "changed": len(undo), "cards": {n: c[1] for n, c in cards.items()}}))
