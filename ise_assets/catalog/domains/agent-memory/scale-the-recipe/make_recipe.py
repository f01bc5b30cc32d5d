"""Writes a recipe with corrections into the notes, other recipes beside it, and the stock; prints what must be bought."""

import json
import os
import random
from fractions import Fraction

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
folder = f"{p['home']}/memory/recipes"
os.makedirs(folder, exist_ok=True)
parts = p["recipe"]["parts"]
amounts = {part: rng.randint(3, 90) * 10 for part in parts}
twice, once = rng.sample(parts, 2)
now = dict(amounts)
fixes = []
for part, days in ((twice, ("2025-04-11", "2025-10-02")), (once, ("2025-07-23",))):
    for day in days:
        new = max(20, now[part] + rng.choice([-30, -20, 20, 40, 70]))
        if new == amounts[part]:
            new += 10
        fixes.append(
            f"- {day}: {new} g {part} instead of {now[part]} g, {rng.choice(['it was too dry', 'the last lot was too soft', 'tastes better', 'holds longer'])}"
        )
        now[part] = new
rng.shuffle(fixes)  # they were not written down in order of their dates
text = (
    f"# Recipe: {p['recipe']['name']}\n\nAmounts for {p['base']} {p['recipe']['unit']}:\n\n" + "".join(f"- {g} g {part}\n" for part, g in amounts.items())
    + f"\nOf everything take {p['extra']} % more, some sticks to the bowl. Then round up to the next {p['step']} g; the stock comes off after that.\n\n"
    "## Corrections (the latest date counts)\n\n" + "\n".join(fixes) + "\n"
)  # fmt: skip
with open(f"{folder}/{p['slug']}.md", "w", encoding="utf-8") as out:
    out.write(text)
if not os.path.exists(folder + "/pancakes.md"):
    with open(folder + "/pancakes.md", "w", encoding="utf-8") as out:
        out.write("# Recipe: pancakes\n\nAmounts for 4 people:\n\n- 250 g flour\n- 500 g milk\n")
need = {}
for part, grams in now.items():
    exact = Fraction(grams * p["count"] * (100 + p["extra"]), p["base"] * 100)
    need[part] = int(-(-exact // p["step"]) * p["step"])
plenty = rng.choice(parts)
split = rng.choice([part for part in parts if part != plenty])
have, rows = {}, []


def row(part, grams):
    have[part] = have.get(part, 0) + grams
    shown = f"{grams / 1000:g} kg".replace(".", ",") if grams % 10 == 0 and rng.random() < 0.6 else f"{grams} g"
    rows.append(f"{part}{rng.choice(['', ' '])};{shown};{rng.choice(['shelf', 'cellar', 'car'])}")


for part in parts:
    if part == plenty:
        row(part, need[part] + rng.randint(0, 40) * 10)
    elif part == split:
        row(part, need[part] // 5)
        row(part, need[part] // 4)
    elif rng.random() < 0.6:
        row(part, rng.randint(1, max(2, need[part] // 15)) * 10)
rows.append("gloves;120 g;shelf")
rows.append("paper bags;1,5 kg;cellar")
rng.shuffle(rows)
with open("stock.csv", "w", encoding="utf-8", newline="") as out:
    out.write("\ufeffitem;amount;where\r\n" + "".join(line + "\r\n" for line in rows))
buy = [[part, str(need[part] - have.get(part, 0))] for part in parts if need[part] > have.get(part, 0)]
print(json.dumps({"buy": buy, "many": len(buy)}))
