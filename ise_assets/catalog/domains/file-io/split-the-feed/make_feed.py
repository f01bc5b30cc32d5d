"""Writes an event feed out of order, with items that change (and change group), and some torn lines."""

import json
import os
import random
import re

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
ids = [f"{kind['things'][:2].upper()}{n}" for n in rng.sample(range(1000, 9999), p["items"])]
minutes = rng.sample(range(60 * 24), p["items"] + p["changes"])
events = [(ids[n % len(ids)] if n < len(ids) else rng.choice(ids), minute) for n, minute in enumerate(minutes)]
lines, last = [], {}
for n, (item, minute) in enumerate(events):
    group = kind["groups"][n % 4] if n < 8 else rng.choice(kind["groups"])
    one = {"id": item, kind["group"]: group, "state": rng.choice(kind["states"]), "updated": f"2026-03-14T{minute // 60:02}:{minute % 60:02}"}
    lines.append(json.dumps(one, ensure_ascii=False))
    if item not in last or one["updated"] > last[item]["updated"]:
        last[item] = one
rng.shuffle(lines)
torn = []
for n in range(p["torn"]):
    whole = lines[rng.randrange(len(lines))]
    torn.append(f'{{"id": "{rng.randrange(10**6)}", "{kind["group"]}": "{whole[20 : 20 + rng.randint(3, 12)]}'.replace("\\", ""))
    lines.insert(rng.randrange(len(lines)), torn[-1])
with open("feed.jsonl", "w", encoding="utf-8") as handle:
    handle.write("\n".join(lines) + "\n")
files = {}
for item in sorted(last):
    files.setdefault(re.sub(r"[^\w.-]+", "-", last[item][kind["group"]]).strip("-"), []).append(last[item])
print(json.dumps({"count": len(last), "torn": len(torn), "files": files, "torn_lines": sorted(torn)}))
