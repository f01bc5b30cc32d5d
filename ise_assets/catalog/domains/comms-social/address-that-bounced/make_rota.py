"""Writes a rota, a contact book with a dead address, and the directory of the service with two people of one surname."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
first = rng.sample(["Aino", "Bram", "Ciara", "Dario", "Esra", "Finn", "Gerda", "Håkon", "Imke", "Jules"], 7)
last = rng.sample(["Abel", "Brook", "Caspari", "Dunne", "Engel", "Faber", "Gomez", "Hale", "Irving"], 6)
names = [f"{f} {s}" for f, s in zip(first, last)]
duty = names[0]
address = {n: f"{n.split()[0].lower().replace('å', 'a')}.{n.split()[1].lower()}@mail.example" for n in names}
old = f"{duty.split()[1].lower()}{rng.randint(60, 99)}@oldpost.example"
rows = []
for day in range(1, 29):
    slot = rng.choice(["early", "late", "standby"])
    rows.append(f"2026-03-{day:02d};{slot};{duty if day == p['day'] else rng.choice(names)}\n")
with open("rota.csv", "w", encoding="utf-8") as out:
    out.write("date;slot;name\n" + "".join(rows))
with open("README.txt", "w", encoding="utf-8") as out:
    out.write(
        f"Rota of {p['team']}. One line a day.\n\nAddresses go stale. The directory of the message service is kept up to date:\n"
        f"http://127.0.0.1:{p['ports']['mail']}/people lists everybody of all teams, ?q=WORD narrows it down.\n"
    )
with open("contacts.vcf", "w", encoding="utf-8", newline="") as out:
    for name in rng.sample(names, len(names)):
        given, family = name.split()
        lines = [
            "BEGIN:VCARD", "VERSION:3.0", f"FN:{name}", f"N:{family};{given};;;",
            f"TEL;TYPE=CELL:+00 {rng.randint(100, 999)} {rng.randint(1000, 9999)}",
            f"EMAIL;TYPE=INTERNET,HOME:{old if name == duty else address[name]}", "END:VCARD",
        ]  # fmt: skip
        out.write("\r\n".join(lines) + "\r\n")
people = [{"name": n, "team": p["team"], "address": a} for n, a in address.items()]
people.append({"name": duty, "team": "accounts", "address": f"{duty.split()[1].lower()}@accounts.example"})
people.append({"name": f"{first[6]} {duty.split()[1]}", "team": p["team"], "address": "zz" + address[duty]})
rng.shuffle(people)
with open(f"{p['home']}/.local/share/messages-{p['ports']['mail']}/rules.json", "w", encoding="utf-8") as out:
    json.dump({"people": people}, out, ensure_ascii=False)
with open("contacts.vcf", encoding="utf-8", newline="") as handle:
    book = handle.read()
print(json.dumps({"name": duty, "old": old, "new": address[duty], "book": book}))
