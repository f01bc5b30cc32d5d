"""A helper module with living and dead functions, and the scripts that use it; prints which are dead."""

import json
import os
import random
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
nouns = [p["subject"]["nouns"][n] for n in p["names"]]
verbs = rng.sample(["count", "check", "plan", "rate", "sum", "grade", "order", "weigh", "list", "sort"], 10)
names = [f"{verb}_{noun}" for verb, noun in zip(verbs, nouns, strict=True)]
direct, helper, job1, job2, pair, table, dead0, dead1, dead2, dead3 = names
module = p["module"]


def put(path, text):
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def body(name, call=""):
    number = rng.randint(2, 40)
    inner = f"{call}(n)" if call else "n"
    return f'def {name}(n):\n    """The {name.replace("_", " ")} figure."""\n    return {inner} * {number} + {rng.randint(1, 9)}\n'


functions = {
    direct: body(direct, helper), helper: body(helper), job1: body(job1), job2: body(job2, pair), pair: body(pair),
    table: body(table), dead0: body(dead0, dead1), dead1: body(dead1), dead2: body(dead2), dead3: body(dead3, helper),
}  # fmt: skip
order = list(functions)
rng.shuffle(order)
order.remove(table)
text = f'"""Helpers of the {p["subject"]["what"]}."""\n\n\n' + "\n\n".join(
    functions[name] for name in [*order[:4], table]
)
text += f'\n\nDEFAULTS = {{"{nouns[5]}": {table}}}\n\n\n' + "\n\n".join(functions[name] for name in order[4:])
put(f"{module}.py", text)
put(
    "jobs.json",
    json.dumps([{"call": job1, "with": rng.randint(2, 9)}, {"call": job2, "with": rng.randint(2, 9)}], indent=1) + "\n",
)
put("run_jobs.py", f'''"""Runs what jobs.json says."""
import json

import {module}

with open("jobs.json", encoding="utf-8") as handle:
    for job in json.load(handle):
        print(job["call"], getattr({module}, job["call"])(job["with"]))
''')  # fmt: skip
put("run_week.py", f'''"""The week's figures."""
from {module} import DEFAULTS

for name, function in DEFAULTS.items():
    # {dead2} was used here until last year
    print(name, function({rng.randint(3, 30)}))
''')  # fmt: skip
put("daily.py", f'''"""The day's figures."""
import {module} as m

for n in ({rng.randint(1, 9)}, {rng.randint(10, 30)}):
    print("{direct.replace("_", " ")}", m.{direct}(n))
''')  # fmt: skip


def said(script):
    return subprocess.run(["python3", "-B", script], capture_output=True, text=True, check=True).stdout


output = {script: said(script) for script in ("run_jobs.py", "run_week.py", "daily.py")}
keep = {name: functions[name].strip() for name in names[:6]}
dead = sorted([dead0, dead1, dead2, dead3])
print(json.dumps({"output": output, "keep": keep, **{f"dead{n}": name for n, name in enumerate(dead)}}))
