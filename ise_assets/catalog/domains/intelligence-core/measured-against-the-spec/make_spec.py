"""Writes a specification and measurements in other units with tolerances; one fails by its tolerance, one is missing, one is invalid."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
k = p["kind"]
# quantity, unit of the spec, other unit, factor to it, typical range
shapes = [
    (k["a"], "N", "kN", 0.001, (120, 900)),
    (k["b"], "mm", "cm", 0.1, (8, 60)),
    (k["c"], "s", "ms", 1000, (1, 9)),
    (k["d"], "kg", "g", 1000, (2, 40)),
    (k["e"], "mm", "um", 1000, (1, 6)),
    (k["f"], "cm", "m", 0.01, (40, 300)),
]
rng.shuffle(shapes)
fates = ["fail", "missing", "pass", "pass", "invalid", "pass"]
rng.shuffle(fates)
spec, benches, verdicts = [], {1: [], 2: []}, []
failed = missing = ""
for n, ((quantity, unit, other, factor, (a, b)), fate) in enumerate(zip(shapes, fates, strict=True), 1):
    name = f"R{n * 10}"
    middle = rng.randrange(a * 10, b * 10) / 10
    room = round(middle * 0.1 + 0.4, 1)
    low, high = round(middle - room, 1), round(middle + room, 1)
    sides = rng.choice(["both", "max", "min"])
    spec.append(f"{name},{quantity},{'' if sides == 'max' else low},{'' if sides == 'min' else high},{unit}")
    tolerance = round(room * 0.2, 2)
    values = [round(middle + rng.uniform(-0.5, 0.5) * room, 2) for _ in range(rng.randint(2, 3))]
    if fate == "fail":  # inside by itself, outside with its tolerance
        values[-1] = round(high - tolerance / 2, 2) if sides != "min" else round(low + tolerance / 2, 2)
        failed = name
    if fate == "missing":
        missing = name
        values = []
    rows = [(v, "") for v in values]
    if fate == "invalid":
        rows.append((round(high * 3, 2), "invalid"))
    for value, remark in rows:
        bench = rng.choice([1, 2])
        f, u = (factor, other) if bench == 2 else (1, unit)
        shown = quantity if rng.random() < 0.6 else quantity.capitalize() + rng.choice(["", " "])
        benches[bench].append(f"{shown},{value * f:.6g},{u},{tolerance * f:.6g},{remark}")
    verdicts.append(f"{name},{'not measured' if fate == 'missing' else 'fail' if fate == 'fail' else 'pass'}")
Path("spec.csv").write_text("requirement,quantity,min,max,unit\n" + "\n".join(spec) + "\n", "utf-8")
for bench, lines in benches.items():
    rng.shuffle(lines)
    text = "quantity,value,unit,tolerance,remark\n" + "\n".join(lines) + "\n"
    Path(f"bench-{bench}.csv").write_text(text, "utf-8-sig" if bench == 1 else "utf-8")
Path("notes.md").write_text(
    f"# Type test of the {k['thing']}\n\n- Every valid measurement has to be within the limits with its tolerance: value - tolerance not below min, value + tolerance not above max.\n"
    "- A measurement marked invalid does not count.\n- A requirement without a valid measurement is not measured.\n- um stands for micrometres.\n",
    "utf-8",
)
print(json.dumps({"table": "requirement,verdict\n" + "\n".join(verdicts) + "\n", "failed": failed, "missing": missing}))
