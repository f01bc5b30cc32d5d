"""Writes a register and the notes on who may see what, with a rule that was tightened; prints the extract."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
folder = f"{p['home']}/memory/{p['slug']}"
os.makedirs(folder)
partners = [
    "city statistics office",
    "liability insurer",
    "sports federation",
    "local photographer",
    "university study",
    "bus company",
    "partner club",
    "grant office",
]
wide = [["name", "birth year", "postcode", "group"], ["name", "joined", "group"], ["name", "postcode", "joined"]]
narrow = [
    ["initials", "birth year", "group"],
    ["district", "birth year"],
    ["initials", "district", "joined"],
    ["group", "birth year", "district"],
]
others = rng.sample([x for x in partners if x != p["partner"]], 3)
old, new = rng.choice(wide), rng.choice(narrow)
rules = [
    f"- {who} (since 2023-{rng.randint(1, 12):02d}-01): columns {', '.join(rng.choice(wide + narrow))}"
    for who in others
]
rules.append(f"- {p['partner']} (since 2022-{rng.randint(1, 12):02d}-01): columns {', '.join(old)}; see below")
rng.shuffle(rules)
text = (
    f"# Who may see what of the {p['register']}\n\nThe extract has exactly the columns named, in that order, under these names. Forms: initials like A.B., birth year and district\n"
    "(the first two digits of the postcode) only, never the full date or code unless the column says postcode. Phone and notes go to nobody.\n"
    "Who is protected must never appear, for no partner. Nor do people who have left (a date in the column left).\n\n## Partners\n\n"
    + "\n".join(rules) + "\n\n## Changes\n\nA later rule for the same partner replaces the earlier one.\n\n"
    + f"- {p['partner']} (since 2025-{p['month']:02d}-15): columns {', '.join(new)}\n"
)  # fmt: skip
with open(folder + "/privacy.md", "w", encoding="utf-8") as out:
    out.write(text)
first = [
    "Anke",
    "Boaz",
    "Chiara",
    "Dario",
    "Émile",
    "Fenna",
    "Gita",
    "Hugo",
    "Inga",
    "Jaromir",
    "Karla",
    "Léon",
    "Mette",
    "Nils",
]
last = ["Adler", "Bryce", "Castro", "Dietz", "Evers", "Fox", "Göbel", "Hahn", "Iqbal", "Jung", "Krüger"]
names = rng.sample([f"{f} {s}" for f in first for s in last], p["people"])
hidden = set(rng.sample(range(p["people"]), rng.randint(2, 4)))
gone = set(rng.sample([n for n in range(p["people"]) if n not in hidden], rng.randint(1, 3)))
rows, shown = [], []
for n, name in enumerate(names):
    born = f"{rng.randint(1950, 2015)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    code, joined, group = (
        f"{rng.randint(10000, 99999)}",
        f"20{rng.randint(15, 25)}",
        rng.choice(["A", "B", "Delta", "Mon", "Fri"]),
    )
    left = f"2025-{rng.randint(1, 12):02d}-01" if n in gone else ""
    rows.append(
        [
            name,
            born,
            code,
            f"0{rng.randint(100, 999)}/{rng.randint(1000, 9999)}",
            joined,
            group,
            rng.choice(["yes", "Yes", "YES"]) if n in hidden else rng.choice(["no", ""]),
            left,
        ]
    )
    every = {"name": name, "initials": "".join(part[0] + "." for part in name.split()), "birth year": born[:4], "postcode": code, "district": code[:2],
             "joined": joined, "group": group}  # fmt: skip
    if n not in hidden and n not in gone:
        shown.append([every[c] for c in new])
with open("register.csv", "w", encoding="utf-8", newline="") as out:
    out.write(
        "\ufeffname;born;postcode;phone;joined;group;protected;left\r\n"
        + "".join(";".join(row) + "\r\n" for row in rows)
    )
print(json.dumps({"extract": [new, *shown], "out": len(hidden) + len(gone)}))
