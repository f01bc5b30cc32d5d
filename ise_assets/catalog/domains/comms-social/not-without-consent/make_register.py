"""Writes a member list, the rules and a consent register with withdrawals; prints who has not agreed."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
first = ["Alma", "Bilal", "Cleo", "Dag", "Ema", "Farid", "Gro", "Hilde", "Iza", "Jörn", "Kaya", "Lou", "Mirja", "Noor"]
last = ["Ahrens", "Bello", "Cruz", "Dahl", "Emre", "Fox", "Gött", "Horn", "Ito"]
names = rng.sample([f"{f} {s}" for f in first for s in last], p["people"])
ids = [f"P{n}" for n in rng.sample(range(100, 999), p["people"])]
purpose = "phone to third parties"
refusing = set(rng.sample(ids, rng.randint(2, 4)))
rows = []
for n, one in enumerate(ids):
    early, late = (
        f"2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
        f"2025-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
    )
    rows.append((one, "photos", rng.choice(["yes", "no"]), early))
    if one not in refusing:
        if rng.random() < 0.3:
            rows.append((one, purpose, "no", early))
        rows.append((one, purpose, "yes", late))
        continue
    way = rng.choice(["none", "withdrawn", "no"])
    if way != "none":
        rows.append((one, purpose, "yes" if way == "withdrawn" else "no", early))
    if way == "withdrawn":
        rows.append((one, purpose, "no", late))
rng.shuffle(rows)
with open("members.csv", "w", encoding="utf-8") as out:
    out.write(
        "id;name;phone\n"
        + "".join(f"{i};{n};+00 {rng.randint(100, 999)} {rng.randint(10000, 99999)}\n" for i, n in zip(ids, names))
    )
with open("consent.csv", "w", encoding="utf-8", newline="") as out:
    out.write("\ufeffid;purpose;given;date\r\n" + "".join(";".join(row) + "\r\n" for row in rows))
with open("rules.txt", "w", encoding="utf-8") as out:
    out.write(
        "Lists and outsiders\n\n1. Phone numbers go to outsiders only with the consent of everybody on the list, for the purpose\n"
        f'   "{purpose}". consent.csv is the register; of several entries of a person the latest counts.\n'
        "2. No entry means no consent.\n3. A list is never sent in part: what is left out tells who refused.\n"
    )
people = [{"address": p["address"]}, {"address": "board@club.example"}]
with open(f"{p['home']}/.local/share/messages-{p['ports']['mail']}/rules.json", "w", encoding="utf-8") as out:
    json.dump({"people": people}, out)
missing = [n for i, n in zip(ids, names) if i in refusing]
print(json.dumps({"count": len(missing), "everyone": "".join(f"(?=[\\s\\S]*{n})" for n in missing)}))
