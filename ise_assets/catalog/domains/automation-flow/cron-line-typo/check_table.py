"""The repaired line means what the user meant; every other line is byte for byte as it was."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/{p['host']}.cron", encoding="utf-8", newline="") as handle:
    lines = handle.read().rstrip("\n").split("\n")
assert len(lines) == len(truth["lines"]), f"{len(lines)} lines, there were {len(truth['lines'])}"
for number, (now, then) in enumerate(zip(lines, truth["lines"])):
    assert number == truth["at"] or now == then, f"line {number + 1} was changed: {now}"
fields = lines[truth["at"]].split(None, 5)
assert len(fields) == 6, f"line {truth['at'] + 1} has too few fields"
minute, hour, dom, month, dow, command = fields
assert command.strip() == truth["command"], f"the command is {command!r}"
assert (int(minute), int(hour), dom, month) == (p["minute"], p["hour"], "*", "*"), f"the time is {fields[:5]}"
names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
days = set()
for part in dow.lower().split(","):
    ends = [names.index(end) if end in names else int(end) for end in part.split("-")]
    days |= {day % 7 for day in range(ends[0], ends[-1] + 1)}
assert sorted(days) == truth["days"], f"it runs on {sorted(days)}, wanted {truth['days']}"
