"""Writes job sheets with several states and a board in the notes that lags behind; prints the board as it should be."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
folder = f"{p['home']}/memory/{p['slug']}"
os.makedirs(folder)
column_of = {
    "bench": "Doing",
    "parts ordered": "Waiting",
    "asked customer": "Waiting",
    "ready": "Done",
    "collected": "Done",
}
columns = ["Doing", "Waiting", "Done"]
work = [
    "new strap",
    "cracked edge",
    "full service",
    "loose hinge",
    "second coat",
    "missing key",
    "worn gear",
    "stuck lid",
    "torn seam",
    "bent axle",
    "dull blade",
    "blown fuse",
    "flat spring",
    "split rim",
]
rng.shuffle(work)
over = p["workers"][0]
jobs = [f"{rng.choice('KLMR')}{n}" for n in rng.sample(range(100, 999), p["cards"] + 2)]
doing = dict.fromkeys(p["workers"], 0)
before = {c: [] for c in columns}
kept, fresh, moved = {c: [] for c in columns}, {c: [] for c in columns}, 0
for n in range(p["cards"]):
    job = jobs[n]
    goal = "Doing" if n <= p["limit"] else rng.choice(columns)
    who = over if n <= p["limit"] else rng.choice(p["workers"])
    if goal == "Doing" and n > p["limit"] and doing[who] >= p["limit"]:
        goal = rng.choice(["Waiting", "Done"])
    doing[who] += goal == "Doing"
    sheet = n != p["cards"] - 1
    here = rng.choice([c for c in columns if c != goal]) if sheet and (n in (1, 4, 6) or rng.random() < 0.4) else goal
    since = f"2026-0{rng.randint(1, 2)}-{rng.randint(1, 28):02d}"
    card = f"- {job}: {work[n]} ({who}, since "
    before[here].append(card + since + ")")
    if here == goal:
        kept[here].append(card + since + ")")
    else:
        fresh[goal].append(card + p["today"] + ")")
        moved += 1
    if not sheet:
        continue
    last = rng.choice([s for s, c in column_of.items() if c == goal])
    states = [*rng.sample(list(column_of), rng.randint(0, 2)), last]
    key = "STATE" if n == 0 else rng.choice(["State", "state", "STATE"])
    lines = [
        f"Job: {job}",
        f"Work: {work[n]}",
        *(f"{key}: {rng.choice([s, s.capitalize()])}{rng.choice(['', '  '])}" for s in states),
    ]
    with open(f"{job}.txt", "w", encoding="utf-8", newline="") as out:
        out.write(rng.choice(["\n", "\r\n"]).join(lines) + "\n")
head = (
    f"# Board of the {p['shop']}\n\nRules: a card stands where its job sheet says, and of several states on a sheet the last counts. bench is Doing; parts ordered and\n"
    "asked customer are Waiting; ready and collected are Done. A card that moves gets the date of that day and goes to the top of its\n"
    "column, several on one day by their number. Cards that stay keep date and order. No sheet, no move.\n"
    f"Limit: {p['limit']} cards in Doing for one person.\n\n"
)
with open(folder + "/board.md", "w", encoding="utf-8") as out:
    out.write(head + "\n".join(f"## {c}\n\n" + "".join(card + "\n" for card in before[c]) for c in columns))
done = {c: sorted(fresh[c]) + kept[c] for c in columns}
print(json.dumps({"head": head, "columns": done, "moved": moved, "over": over}))
