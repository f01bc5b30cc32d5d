"""Writes an invitation list, replies with changes of mind, and a contact book; prints the numbers that count."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
first = [
    "Anneke",
    "Bo",
    "Cosima",
    "Dov",
    "Elif",
    "Fergus",
    "Gül",
    "Hedda",
    "Ilse",
    "Jonas",
    "Kofi",
    "Liv",
    "Mårten",
    "Nadia",
]
last = ["Archer", "Börner", "Costa", "Demir", "Eklund", "Fry", "Grahame", "Hosni", "Ibarra", "Jansen", "Kühn", "Lund"]
names = [f"{f} {s}" for f in first for s in last]
names = rng.sample(names, p["guests"] + 1)
stranger, invited = names[0], names[1:]
silent = sorted(rng.sample(invited, rng.randint(2, 5)))
answering = [name for name in invited if name not in silent]


def spelled(name):
    return rng.choice([name, name, name.lower(), name + " ", name.replace(" ", "  ")])


def answer(coming):
    if not coming:
        return ["no", "", "", ""]
    adults = rng.randint(1, 3)
    return [rng.choice(["yes", "Yes", "YES"]), str(adults), str(rng.randint(0, 3)), str(rng.randint(0, adults))]


twice = rng.sample(answering, max(3, len(answering) // 3))
minutes = rng.sample(range(60 * 24 * 12), len(answering) + len(twice) + 1)
events = [(name, rng.random() < 0.75) for name in answering + twice]
events[0], events[1] = (answering[0], True), (answering[1], False)
rows, final = [], {}
for minute, (name, coming) in sorted(zip(minutes, events)):
    given = answer(coming)
    final[name] = given
    rows.append((minute, spelled(name), given))
rows.append((minutes[-1], stranger, answer(True)))
rng.shuffle(rows)
with open("invited.csv", "w", encoding="utf-8") as out:
    out.write("no;name\n" + "".join(f"{n};{name}\n" for n, name in enumerate(invited, 1)))
with open("replies.csv", "w", encoding="utf-8", newline="") as out:
    out.write(f"\ufefftime;name;coming;adults;children;{p['special']}\r\n")
    for minute, name, given in rows:
        day, rest = divmod(minute, 1440)
        out.write(f"2026-02-{10 + day:02d} {rest // 60:02d}:{rest % 60:02d};{name};{';'.join(given)}\r\n")
roles = [p["cook"], "band", "printer", "marquee hire"]
addresses = {
    role: f"{rng.choice(['office', 'hello', 'desk', 'mail'])}{rng.randint(10, 99)}@{role.replace(' ', '-')}.example"
    for role in roles
}
order = rng.sample(roles, len(roles))
with open("contacts.vcf", "w", encoding="utf-8", newline="") as out:
    for role in order:
        who = f"{rng.choice(first)} {rng.choice(last)}"
        out.write(
            f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{who}\r\nNOTE:{role}\r\nEMAIL;TYPE=INTERNET:{addresses[role]}\r\nEND:VCARD\r\n"
        )
with open(f"{p['home']}/.local/share/messages-{p['ports']['mail']}/rules.json", "w", encoding="utf-8") as out:
    json.dump({"people": [{"address": address} for address in addresses.values()]}, out)
coming = [given for given in final.values() if given[0].lower() == "yes"]
adults, children, special = (sum(int(given[k]) for given in coming) for k in (1, 2, 3))
print(json.dumps({"adults": adults, "children": children, "special": special, "stranger": stranger, "address": addresses[p["cook"]],
                  "silent": "\n".join(silent) + "\n", "calls": len(silent)}))  # fmt: skip
