"""Every talk once, every constraint met, in order."""

import csv
import itertools
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/timetable.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [[cell.strip() for cell in row] for row in csv.reader(handle) if row]
assert rows[0] == ["slot", "room", "talk"], f"header {rows[0]}"
assert rows[1:] == sorted(rows[1:]), "not sorted by slot and room"
at = {talk: (slot, room) for slot, room, talk in rows[1:]}
talks = {talk["topic"]: talk for talk in truth["talks"]}
assert len(rows) - 1 == len(talks) and set(at) == set(talks), f"talks {sorted(at)}"
rooms, slots = {room["name"]: room for room in truth["rooms"]}, truth["slots"]
for topic, talk in talks.items():
    slot, room = at[topic]
    assert room in rooms and slot in slots, f"{topic}: no such room or slot"
    assert slot not in rooms[room].get("closed", []), f"{topic}: the {room} is closed at {slot}"
    assert rooms[room]["seats"] >= talk["audience"], f"{topic}: the {room} is too small"
    assert slot in talk.get("slots", slots), f"{topic}: {slot} does not suit the speaker"
    assert not talk.get("needs") or talk["needs"] in rooms[room]["has"], f"{topic}: the {room} has no {talk['needs']}"
    for other in talk.get("not_with", []):
        assert at[other][0] != slot, f"{topic} and {other} are at once"
    for other in talk.get("after", []):
        assert slots.index(at[other][0]) < slots.index(slot), f"{topic} is not after {other}"
for one, other in itertools.combinations(talks, 2):
    assert at[one] != at[other], f"{one} and {other} share a room"
    assert talks[one]["speaker"] != talks[other]["speaker"] or at[one][0] != at[other][0], f"{talks[one]['speaker']} speaks twice at once"
print(len(at), "talks")
