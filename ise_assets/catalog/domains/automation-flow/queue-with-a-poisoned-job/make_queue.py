"""Makes a folder queue, a runner that stops at what it cannot do, and jobs of which some are bad in different ways."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
for folder in ("waiting", "done", "failed"):
    Path(folder).mkdir()
Path("run.py").write_text(
    f'''"""Works off the {kind["what"]} jobs in waiting/, in order of their names; ends with 1 at the first that cannot be done."""

import json
import pathlib
import sys

if len(sys.argv) > 1:
    print("run.py takes no arguments", file=sys.stderr)
    sys.exit(2)
for path in sorted(pathlib.Path("waiting").iterdir()):
    try:
        job = json.loads(path.read_text("utf-8"))
        amount = job["{kind["unit"]}"]
        if not isinstance(amount, int) or amount < 1:
            raise ValueError("{kind["unit"]} must be a number above 0, not %r" % (amount,))
        line = "%s,%s,%d\\n" % (path.stem, job["what"], amount)
    except KeyError as error:
        print("cannot do %s: field %s is missing" % (path.name, error), file=sys.stderr)
        sys.exit(1)
    except ValueError as error:
        print("cannot do %s: %s" % (path.name, error), file=sys.stderr)
        sys.exit(1)
    with open("ledger.csv", "a", encoding="utf-8") as ledger:
        ledger.write(line)
    path.rename(pathlib.Path("done") / path.name)
    print("done", path.name)
''',
    "utf-8",
)
numbers = sorted(rng.sample(range(100, 999), p["jobs"]))
bad = sorted(rng.sample(range(p["jobs"]), p["bad"]))
ways = rng.sample(["torn", "missing", "none"], p["bad"])
good, failed = [], []
for n, number in enumerate(numbers):
    name = f"{number}-{rng.choice(kind['names'])}"
    job = {"what": name.partition("-")[2], kind["unit"]: rng.randint(1, 60)}
    text = json.dumps(job)
    if n in bad:
        way = ways[bad.index(n)]
        if way == "torn":
            text = text[: rng.randint(9, 16)]
        elif way == "missing":
            text = json.dumps({"what": job["what"]})
        else:
            text = json.dumps({**job, kind["unit"]: rng.choice(["many", 0, -3])})
        failed.append(name)
    else:
        good.append(f"{name},{job['what']},{job[kind['unit']]}")
    Path("waiting", f"{name}.json").write_text(text, "utf-8")
print(json.dumps({"done": len(good), "ledger": good, "failed": failed, "first": failed[0], "last": failed[-1]}))
