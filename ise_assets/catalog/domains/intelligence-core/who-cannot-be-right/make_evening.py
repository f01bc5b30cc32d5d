"""Writes statements and three records, one with a wrong clock; one statement is contradicted once the clock is put right."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
people = p["people"]
places = {"doors": ["reading room", "store", "workshop"], "till": ["canteen"], "parking": ["car park"]}
wrong = rng.choice(["doors", "till", "parking"])
way = rng.choice(["fast", "slow"])
shift = p["drift"] if way == "fast" else -p["drift"]
clock = lambda m: f"{m // 60:02d}:{m % 60:02d}"
rows = {"doors": [], "till": [], "parking": []}


def record(name, person, place, true):
    rows[name].append((true + (shift if name == wrong else 0), person, place))


Path("statements").mkdir()
liar, unproven = people[0], people[1]
findings, spans = {}, {}
for person in people:
    start = rng.randrange(18 * 60, 20 * 60, 5)
    end = start + rng.randrange(60, 110, 5)
    place = rng.choice(places["doors"])
    spans[person] = (place, start, end)
    opening = rng.choice(["I was", "As far as I remember I was", "All the time I was", "You can ask anybody, I was"])
    Path("statements", f"{person}.txt").write_text(f"{opening} in the {place} from {clock(start)} to {clock(end)}.\n{rng.choice(['Then I went home.', 'I saw nobody.', 'It was raining.'])}\n", "utf-8")
    if person == liar:
        # inside the span only after the clock is put right
        other = {"till": "canteen", "parking": "car park"}.get(wrong) or rng.choice([x for x in places["doors"] if x != place])
        time = end - rng.randrange(2, 9) if way == "fast" else start + rng.randrange(2, 9)
        record(wrong, person, other, time)
        told = clock(time)
        findings[person] = "contradicted"
    elif person == unproven:
        record("doors", person, rng.choice(places["doors"]), end + 50 + p["drift"])
        findings[person] = "unproven"
    else:
        record("doors", person, place, rng.randrange(start + 1, end))
        # seen elsewhere inside the span only by the uncorrected clock
        if way == "fast":
            record(wrong, person, {"till": "canteen", "parking": "car park"}.get(wrong) or [x for x in places["doors"] if x != place][0], start - rng.randrange(2, 9))
        else:
            record(wrong, person, {"till": "canteen", "parking": "car park"}.get(wrong) or [x for x in places["doors"] if x != place][0], end + rng.randrange(2, 9))
        findings[person] = "holds"
for name, found in rows.items():
    found += [(rng.randrange(17 * 60, 17 * 60 + 50), rng.choice(["visitor", "porter"]), places[name][0]) for _ in range(3)]
    found.sort()
    Path(f"{name}.csv").write_text("time,person,place\n" + "".join(f"{clock(t)},{who},{where}\n" for t, who, where in found), "utf-8")
Path("notes.md").write_text(
    f"# What is known\n\n- The {p['lost']} was in its place at 17:30.\n- Compared with the station clock, the clock of {wrong}.csv is {p['drift']} minutes {way}; the others are right.\n",
    "utf-8",
)
print(json.dumps({"rows": sorted([a, b] for a, b in findings.items()), "liar": liar, "record": wrong, "time": told}))
