"""Writes a plan with axes, exclusions, settings and extra jobs, and how it is to be read; prints jobs and shares."""

import itertools
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
k = p["kind"]
a, b, c = k["a"], k["b"], k["c"]
axes = {a: rng.sample(k["av"], rng.randint(3, 4)), b: rng.sample(k["bv"], 3), c: k["cv"]}
pick = lambda axis: rng.choice(axes[axis])
exclude = [{a: pick(a), b: pick(b)}, {b: pick(b), c: pick(c)}, {a: pick(a), b: pick(b), c: pick(c)}]
settings = [
    {"where": {a: pick(a)}, "minutes": rng.randrange(20, 40)},
    {"where": {b: pick(b)}, "minutes": rng.randrange(5, 12)},
    {"where": {a: pick(a), c: pick(c)}, "minutes": rng.randrange(41, 60)},
]
extra = [{a: "special", c: pick(c), "minutes": rng.randrange(8, 30)}, {a: "smoke", "minutes": rng.randrange(2, 5)}]
plan = {"axes": axes, "minutes": rng.randrange(12, 19), "exclude": exclude, "set": settings, "extra": extra}
Path("plan.json").write_text(json.dumps(plan, indent=1) + "\n", "utf-8")
Path("README.md").write_text(
    f"# The plan of the {k['what']} jobs\n\n"
    "- A job is one value of each of the `axes`.\n"
    "- A job is left out when it fits an entry of `exclude`; an entry fits when all axes that it names agree.\n"
    "- `minutes` is what a job takes; entries of `set` whose `where` fits replace it, a later one wins.\n"
    "- `extra` jobs are added as they are, after all that: nothing excludes or changes them.\n"
    "- A job's `name` is its values joined by `-`, in the order of the axes, as far as it has them.\n"
    "- A job is written as its axes, `minutes` and `name`.\n",
    "utf-8",
)
fits = lambda job, rule: all(job[axis] == value for axis, value in rule.items())
jobs = []
for values in itertools.product(*axes.values()):
    job = dict(zip(axes, values, strict=True))
    if any(fits(job, rule) for rule in exclude):
        continue
    minutes = plan["minutes"]
    for rule in settings:
        if fits(job, rule["where"]):
            minutes = rule["minutes"]
    jobs.append({**job, "minutes": minutes})
jobs += extra
for job in jobs:
    job["name"] = "-".join(job[axis] for axis in axes if axis in job)
jobs.sort(key=lambda job: job["name"])
load, shares = [0] * p["runners"], [[] for _ in range(p["runners"])]
for job in sorted(jobs, key=lambda job: (-job["minutes"], job["name"])):
    least = load.index(min(load))
    load[least] += job["minutes"]
    shares[least].append(job["name"])
shares = {f"r{n + 1}": names for n, names in enumerate(shares)}
print(json.dumps({"jobs": jobs, "count": len(jobs), "shares": shares, "longest": max(load)}))
