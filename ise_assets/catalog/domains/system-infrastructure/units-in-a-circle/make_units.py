"""Writes unit files with an order, one line that closes a circle, and the log of changes that tells it was a mistake."""

import heapq
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
units = rng.sample(p["kind"]["units"], len(p["kind"]["units"]))
lines = {unit: [] for unit in units}
needs = {unit: set() for unit in units}


def wait(unit, other, key):
    if other not in needs[unit]:
        needs[unit].add(other)
        lines[unit].append(f"{key}={other}.unit")


one, two, three = units[2], units[3], units[4]
wait(two, one, "After")
wait(three, two, "Requires")
for n in range(1, len(units)):
    if n not in (3, 4):
        wait(units[n], units[rng.randrange(n)], rng.choice(["After", "Requires"]))
for _ in range(p["extra"]):
    a, b = sorted(rng.sample(range(len(units)), 2))
    key = rng.choice(["After", "Requires"])
    if (a, b) != (2, 4):  # that would be a circle of two within the one of three
        wait(units[b], units[a], key)
bad = f"After={three}.unit"
waits = {unit: set(found) for unit, found in needs.items()}
ready, order = sorted(unit for unit in units if not waits[unit]), []
while ready:
    unit = heapq.heappop(ready)
    order.append(unit)
    for other in units:
        if unit in waits[other]:
            waits[other].discard(unit)
            if not waits[other]:
                heapq.heappush(ready, other)
texts = {}
for unit in units:
    for with_bad in (False, True):
        found = [*lines[unit], *([bad] if with_bad and unit == one else [])]
        texts[unit, with_bad] = f"[Unit]\nDescription={unit.replace('-', ' ')}\n" + "".join(f"{line}\n" for line in found) + f"\n[Service]\nExecStart=/opt/bin/{unit}\n"
    Path(f"{unit}.unit").write_text(texts[unit, True], "utf-8")
good = rng.choice([line for line in lines[three] if line.startswith("Requires")])
entries = [
    f"- 2026-02-03: `{good}` in {three}.unit is on purpose, it fails without it.",
    f"- 2026-03-11: `{bad}` came into {one}.unit by accident, with a copied block; it was meant for nothing here.",
    f"- 2026-01-20: {units[0]}.unit comes before everything that needs power.",
]
Path("CHANGES.md").write_text("# Changes to the units\n\n" + "\n".join(sorted(entries)) + "\n", "utf-8")
print(json.dumps({"order": "\n".join(order) + "\n", "one": one, "two": two, "three": three, "texts": {unit: texts[unit, False] for unit in units}}))
