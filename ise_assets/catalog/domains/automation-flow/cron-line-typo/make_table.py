"""Writes a cron table with one line that cron refuses, and the jobs it names; prints the truths."""

import datetime
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
every = ["backup-orders", "rotate-images", "mail-digest", "sync-stock", "purge-uploads", "rebuild-index", "export-tax", "warm-cache"]
others = rng.sample([job for job in every if job != p["job"]], rng.randint(4, 6))
dow = p["when"]["dow"]
broken = {
    "minute": (f"{p['minute'] + 60} {p['hour']} * * {dow}", f"minute.*{p['minute'] + 60}"),
    "hour": (f"{p['minute']} {p['hour'] + 24} * * {dow}", f"hour.*{p['hour'] + 24}"),
    "missing": (f"{p['minute']} {p['hour']} * {dow}", "day of week|field"),
    "name": (f"{p['minute']} {p['hour']} * * {rng.choice(['mo-fry', 'wkday', 'thrusday', 'sut'])}", "day of week|weekday"),
}
bad, cause = broken[p["bug"]]


def command(job):
    return f"{p['root']}/jobs/{job}.sh >> {p['root']}/log/{job}.log 2>&1"


jobs = [*others, p["job"]]
rng.shuffle(jobs)
lines = [f"# cron table of {p['host']}, installed by hand", "SHELL=/bin/bash", f"MAILTO=ops@{p['host']}.example", ""]
for job in jobs:
    if rng.random() < 0.5:
        lines.append(f"# {job.replace('-', ' ')}")
    if job == p["job"]:
        at = len(lines)
        lines.append(f"{bad} {command(job)}")
    else:
        day = rng.choice(["*", "1-5", "0", "*/2", "6"])
        gap = rng.choice([" ", "\t"])
        lines.append(gap.join([str(rng.randint(0, 59)), rng.choice(["*", "*/4", str(rng.randint(0, 23))]), "*", "*", day, command(job)]))
with open(f"{p['host']}.cron", "w", encoding="utf-8") as handle:
    handle.write("\n".join(lines) + "\n")
os.makedirs("jobs")
for job in jobs:
    with open(f"jobs/{job}.sh", "w", encoding="utf-8") as handle:
        handle.write(f"#!/bin/bash\nset -eu\necho \"{job} on {p['host']}\"\n")
    os.chmod(f"jobs/{job}.sh", 0o755)
os.makedirs("log")
for job in others:
    with open(f"log/{job}.log", "w", encoding="utf-8") as handle:
        handle.write(f"{job} on {p['host']}\n" * rng.randint(2, 9))
days = set()
for part in dow.split(","):
    first, _, last = part.partition("-")
    days |= set(range(int(first), int(last or first) + 1))
month = p["month"]["number"]
dates = [datetime.date(2026, month, 1) + datetime.timedelta(days=n) for n in range(31)]
runs = sum(1 for date in dates if date.month == month and date.isoweekday() % 7 in days)
print(json.dumps({"runs": runs, "cause": cause, "lines": lines, "at": at, "command": command(p["job"]), "days": sorted(days)}))
