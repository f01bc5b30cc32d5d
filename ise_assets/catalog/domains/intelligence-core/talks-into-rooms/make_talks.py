"""Draws a timetable, then constraints that it meets and that leave the first talk only one place."""

import itertools
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
slots = ["09:30", "11:00", "13:30", "15:00"]
rooms = [
    {"name": "hall", "seats": rng.randrange(110, 160), "has": ["screen", "stage"]},
    {"name": rng.choice(["loft", "chapel", "barn"]), "seats": rng.randrange(50, 80), "has": ["screen"]},
    {"name": rng.choice(["cellar", "annex", "kitchen"]), "seats": rng.randrange(20, 34), "has": ["sink"]},
]
closed = rng.choice(slots[1:])
rooms[2]["closed"] = [closed]
cells = [(s, r["name"]) for s, r in itertools.product(slots, rooms) if s not in r.get("closed", [])]
topics = [p["kind"]["topics"][0], *rng.sample(p["kind"]["topics"][1:], p["talks"] - 1)]
hall = rooms[0]["name"]
first = (rng.choice(slots), hall)
places = [first, *rng.sample([c for c in cells if c != first], len(topics) - 1)]
seats = {r["name"]: r for r in rooms}
speakers = ["Arndt", "Bui", "Costa", "Dunn", "Eder", "Fox", "Gill"]
talks, spoken = [], {}
for n, (topic, (slot, room)) in enumerate(zip(topics, places, strict=True)):
    free = [s for s in speakers if slot not in spoken.get(s, [])]
    speaker = rng.choice(free)
    spoken.setdefault(speaker, []).append(slot)
    smaller = max([r["seats"] for r in rooms if r["seats"] < seats[room]["seats"]], default=8)
    talk = {"topic": topic, "speaker": speaker, "audience": rng.randrange(smaller + 1, seats[room]["seats"] + 1) if rng.random() < 0.5 or n == 0 else rng.randrange(8, seats[room]["seats"] + 1)}
    if rng.random() < 0.35:
        talk["needs"] = rng.choice(seats[room]["has"])
    if n == 0:
        talk["slots"] = [slot]
    elif rng.random() < 0.5:
        talk["slots"] = sorted({slot, *rng.sample(slots, 2)})
    talks.append(talk)
place = dict(zip(topics, places, strict=True))
for talk in talks[1:]:
    mine = place[talk["topic"]][0]
    others = [t for t in topics if place[t][0] != mine]
    if others and rng.random() < 0.5:
        talk["not_with"] = [rng.choice(others)]
    earlier = [t for t in topics if place[t][0] < mine]
    if earlier and rng.random() < 0.35:
        talk["after"] = [rng.choice(earlier)]
rng.shuffle(talks)
Path("talks.json").write_text(json.dumps(talks, indent=1) + "\n", "utf-8")
Path("rooms.json").write_text(json.dumps({"slots": slots, "rooms": rooms}, indent=1) + "\n", "utf-8")
print(json.dumps({"slot": first[0], "room": first[1], "talks": talks, "rooms": rooms, "slots": slots}))
