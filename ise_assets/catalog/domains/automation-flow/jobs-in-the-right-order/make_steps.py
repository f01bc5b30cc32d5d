"""Makes ten steps with needs, of which one fails for good; each logs that it ran and checks that its needs have run."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
steps = p["kind"]["steps"]
order = rng.sample(steps, len(steps))
needs = {}
for n, step in enumerate(order):
    needs[step] = sorted(rng.sample(order[:n], min(n, rng.randint(0, 2)))) if n > 1 else []
failed = order[rng.randrange(1, 4)]
# at least two behind it, one of them over a corner
after = [step for step in order if order.index(step) > order.index(failed)]
first, second = after[-2], after[-1]
needs[first] = sorted({*needs[first], failed})
needs[second] = sorted({*needs[second], first})


def behind(step):
    return any(one == failed or behind(one) for one in needs[step])


left_out = sorted(step for step in steps if step != failed and behind(step))
Path("steps").mkdir()
reasons = ["the door is locked", "nobody signed", "no paper left", "the scale shows nothing", "the lamp is broken"]
for step in steps:
    lines = [f"# {step}"]
    lines += [f'grep -qx "{one}" ran.log 2>/dev/null || {{ echo "{one} has not run" >&2; exit 3; }}' for one in needs[step]]
    if step == failed:
        lines += [f'echo "{rng.choice(reasons)}" >&2', "exit 4"]
    else:
        lines += [f'echo "{step}" >> ran.log']
    Path("steps", f"{step}.sh").write_text("\n".join(lines) + "\n", "utf-8")
rows = [f"{step}: {' '.join(needs[step])}".rstrip() for step in rng.sample(steps, len(steps))]
Path("needs.txt").write_text("# step: what it needs\n" + "\n".join(rows) + "\n", "utf-8")
print(json.dumps({"needs": needs, "failed": failed, "left_out": left_out, "held": left_out[0]}))
