"""Writes notes with a wrong number in several places and a folder of delivery notes; prints the notes as they should be."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
folder = f"{p['home']}/memory/{p['slug']}"
os.makedirs(folder)
numbers = [f"{p['prefix']}-{n}" for n in rng.sample(range(1000, 9999), 8)]
old, new, misfit, older, other = numbers[:5]
parts = ["filter", "lamp", "belt", "gasket", "fuse", "bearing", "spring", "nozzle"]
rest = rng.sample([x for x in parts if x != p["part"]], 3)
facts = [
    f"- {p['part']}: {old}",
    f"- {rest[0]}: {numbers[5]}",
    f"- {rest[1]}: {numbers[6]}",
    f"- stands with: {p['owner']}",
]
rng.shuffle(facts)
notes = {
    "facts.md": f"# Facts about the {p['thing']}\n\n" + "\n".join(facts) + "\n",
    "ordering.md": f"# Ordering for the {p['thing']}\n\nEvery spring two of {old} and one of {numbers[5]}. Ask for {old} by number, not by name.\n",
    "log.md": f"# Log of the {p['thing']}\n\n- 2025-03-12: fitted {older}, runs\n- 2025-11-20: noted {old} as the {p['part']}\n- 2026-02-19: {old} came, does not fit\n",
    "corrections.md": (
        f"# Corrections about the {p['thing']}\n\nRules: a wrong fact is replaced wherever it stands as a fact. log.md and this file are history and are never rewritten.\n"
        "Each correction gets a line at the end, `- DATE: WHAT of the THING: OLD was wrong, right is NEW`.\n\n"
        f"- 2024-08-01: {rest[1]} of the {p['thing']}: {numbers[7]} was wrong, right is {numbers[6]}\n"
    ),
}
for name, text in notes.items():
    with open(f"{folder}/{name}", "w", encoding="utf-8") as out:
        out.write(text)
sheets = [("2025-03-10", p["part"], older, "fits"), (f"2025-{rng.randint(4, 7):02d}-05", p["part"], new, "fits"), (f"2025-{rng.randint(8, 10):02d}-11", p["part"], misfit, "returned, too wide"),
          ("2026-02-18", p["part"], old, "does not fit")]  # fmt: skip
for _ in range(p["papers"] - 4):
    sheets.append(
        (
            f"2025-{rng.randint(1, 12):02d}-{rng.randint(12, 28)}",
            rng.choice(rest),
            rng.choice([numbers[5], numbers[6], other]),
            rng.choice(["fits", "fits", "spare"]),
        )
    )
files = rng.sample(range(100, 999), len(sheets))
upper = rng.randrange(len(sheets))
for n, (number, (day, part, code, result)) in enumerate(zip(files, sheets)):
    style = str.upper if n == upper else rng.choice([str.capitalize, str.lower, str.capitalize])
    lines = [
        f"{style('date')}: {day}",
        f"{style('part')}: {part}",
        f"{style('number')}: {code}",
        f"{style('pieces')}: {rng.randint(1, 4)}",
        f"{style('result')}: {result}",
    ]
    with open(f"note {number}.txt", "w", encoding="utf-8", newline="") as out:
        out.write(rng.choice(["\n", "\r\n"]).join(lines) + "\n")
right = {name: text if name in ("log.md", "corrections.md") else text.replace(old, new) for name, text in notes.items()}
right["corrections.md"] += f"- 2026-03-02: {p['part']} of the {p['thing']}: {old} was wrong, right is {new}\n"
print(json.dumps({"right": right, "old": old, "new": new}))
