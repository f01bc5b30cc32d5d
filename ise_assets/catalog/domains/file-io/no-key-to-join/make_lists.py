"""Writes members with numbers and payments with names; some names belong to two members, and some of those have paid."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
given = ["Jörg", "Mira", "Anselm", "Zoë", "Tadeusz", "Inés", "Bjarne", "Käthe", "Oluchi", "Renée", "Sefa", "Ludo"]
family = ["Brügge", "Okafor", "Lindqvist", "Møller", "Achterberg", "Szabo", "Ferrante", "Quist", "Özkan", "Thorne"]
names = rng.sample([f"{g} {f}" for g in given for f in family], p["members"])
twice = names[: p["doubles"]]
people = [*names, *twice]
rng.shuffle(people)
numbers = rng.sample(range(1000, 9999), len(people))
lines = [f"{number},{name},{rng.choice(['street', 'lane', 'yard', 'quay'])} {rng.randint(1, 90)}" for number, name in zip(numbers, people)]
kind = p["kind"]
with open(kind["file"], "w", encoding="utf-8") as handle:
    handle.write("number,name,address\n" + "\n".join(lines) + "\n")
once = names[p["doubles"] :]
payers = [*twice, *rng.sample(once, min(len(once), p["payments"] - p["doubles"]))]
rng.shuffle(payers)
paid = [f"2026-{rng.randint(1, 6):02}-{rng.randint(1, 28):02},{name},{rng.choice([24, 36, 48, 60])}.00" for name in payers]
with open(kind["paid"], "w", encoding="utf-8") as handle:
    handle.write("date,name,amount\n" + "\n".join(sorted(paid)) + "\n")
print(json.dumps({"one": twice[0], "other": twice[1]}))
