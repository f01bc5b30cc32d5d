"""A log, a script that hoards it, and a meter that tells whether a run keeps within an allowance."""

import json
import os
import random
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
unit = p["subject"]["unit"]
units = [f"{unit}-{n:02d}" for n in sorted(rng.sample(range(1, 40), p["units"]))]
weights = [rng.randint(1, 9) for _ in units]
lines = []
for number in range(p["lines"]):
    day = f"2026-02-{number * 28 // p['lines'] + 1:02d}T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}"
    name = rng.choices(units, weights)[0]
    kind = rng.random()
    if kind < 0.03:
        lines.append(f"{day} {name} restart")
    elif kind < 0.05:
        lines.append(f"{day} {name} count -")
    elif kind < 0.06:
        lines.append(f"{day} {name} battery {rng.randint(20, 99)}")
    else:
        lines.append(f"{day} {name} count {rng.randint(0, 60)}")
with open("events.log", "w", encoding="utf-8") as handle:
    handle.write("\n".join(lines) + "\n")
with open(p["script"], "w", encoding="utf-8") as handle:
    handle.write(f'''"""Sums up a log: {unit};events;total;highest;last day."""

import sys

with open(sys.argv[1], encoding="utf-8", errors="replace") as handle:
    lines = handle.readlines()
events = []
for line in lines:
    parts = line.split()
    if len(parts) == 4 and parts[2] == "count" and parts[3].isdigit():
        events.append({{"stamp": parts[0], "name": parts[1], "count": int(parts[3]), "text": line.strip()}})
for name in sorted(set(event["name"] for event in events)):
    own = [event for event in events if event["name"] == name]
    counts = [event["count"] for event in own]
    print("%s;%d;%d;%d;%s" % (name, len(own), sum(counts), max(counts), max(event["stamp"] for event in own)[:10]))
''')
with open("meter.py", "w", encoding="utf-8") as handle:
    handle.write(f'''"""Does a script keep within the device's memory? meter.py SCRIPT LOG"""

import collections
import contextlib
import csv
import io
import itertools
import re
import sys
import tracemalloc

allowed = {p["allowance"]}  # KiB

sys.argv = sys.argv[1:]
with open(sys.argv[0], encoding="utf-8") as handle:
    code = compile(handle.read(), sys.argv[0], "exec")
tracemalloc.start()
with contextlib.redirect_stdout(io.StringIO()):
    exec(code, {{"__name__": "__main__"}})
peak = tracemalloc.get_traced_memory()[1] // 1024
if peak > allowed:
    print("over the allowance of %d KiB, about %d times as much" % (allowed, round(peak / allowed)))
    sys.exit(1)
print("within the allowance of %d KiB" % allowed)
''')


def said(name):
    return subprocess.run(["python3", "-B", p["script"], name], capture_output=True, text=True, check=True).stdout


with open("half.log", "w", encoding="utf-8") as handle:
    handle.write("\n".join(rng.sample(lines, len(lines) // 3)) + "\n")
output, half = said("events.log"), said("half.log")
with open("half.log", encoding="utf-8") as handle:
    log = handle.read()
os.remove("half.log")
totals = sorted((int(line.split(";")[2]), line.split(";")[0]) for line in output.splitlines())
print(json.dumps({"output": output, "half": half, "log": log, "top": totals[-1][1], "total": totals[-1][0]}))
