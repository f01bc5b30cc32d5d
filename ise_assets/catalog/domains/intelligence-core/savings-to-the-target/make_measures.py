"""Draws measures and rules until one combination is clearly the best and neither greed nor the rules' neglect finds it."""

import csv
import itertools
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
names, target = p["kind"]["measures"], p["target"]
while True:
    saves = {m: rng.randrange(5, 24) for m in names}
    pain = {m: max(1, saves[m] // 2 + rng.randrange(-3, 6)) for m in names}
    a, b, c, d, e = rng.sample(names, 5)
    agreed = e
    best = []
    for size in range(1, len(names) + 1):
        for chosen in itertools.combinations(sorted(names), size):
            if sum(saves[m] for m in chosen) < target or agreed not in chosen:
                continue
            if (a in chosen and b in chosen) or (c in chosen and d not in chosen):
                continue
            best.append((sum(pain[m] for m in chosen), size, chosen))
    best.sort()
    free = min((sum(pain[m] for m in ch), len(ch), ch) for n in range(1, 10) for ch in itertools.combinations(sorted(names), n) if sum(saves[m] for m in ch) >= target)
    greedy = sorted(sorted(names, key=lambda m: -saves[m])[:3])
    if len(best) > 1 and best[0][:2] < best[1][:2] and best[0][0] < best[1][0] and free[2] != best[0][2] and list(best[0][2]) != greedy:
        break
choice = best[0][2]
with open("measures.csv", "w", encoding="utf-8", newline="") as handle:
    csv.writer(handle, lineterminator="\n").writerows([("measure", "saves", "pain"), *((m, saves[m], pain[m]) for m in rng.sample(names, len(names)))])
lines = [f'- "{a}" and "{b}" exclude each other.', f'- "{c}" is possible only together with "{d}".', f'- "{agreed}" is agreed already, it will be done in any case (and counts, with its saving and its pain).']
rng.shuffle(lines)
Path("rules.md").write_text(f"# Savings of the {p['kind']['who']}\n\nThe target is {target} (thousand a year) or more.\n\n" + "\n".join(lines) + "\n", "utf-8")
print(json.dumps({"choice": "\n".join(choice) + "\n", "saving": sum(saves[m] for m in choice), "pain": best[0][0]}))
