"""Writes two contact books in different dialects that share some people; prints the merged people."""

import json
import os
import quopri
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
first = ["Anja", "Björn", "Célia", "Dušan", "Eike", "Fatma", "Göran", "Hanne", "Inés", "Jürgen", "Kenji", "Łukasz"]
last = ["Abt", "Bühler", "Cortés", "Dreyer", "Ekström", "Fröhlich", "Grönlund", "Huber", "Işık", "Jørgensen"]
names = rng.sample([f"{f} {s}" for f in first for s in last], p["people"])
both = rng.randint(3, p["people"] // 2)
where = ["both"] * both + ["one", "two"] + [rng.choice(["one", "two"]) for _ in range(p["people"] - both - 2)]
rng.shuffle(where)
used = set()


def number():
    while True:
        digits = f"{rng.randint(150, 799)}{rng.randint(100000, 9999999)}"
        if digits not in used:
            used.add(digits)
            return digits


def written(digits):
    a, b = digits[:3], digits[3:]
    return rng.choice([f"0{a} {b}", f"0{a}/{b}", f"{p['country']} {a} {b}", f"00{p['country'][1:]}{digits}",
                       f"{p['country']} (0) {a}-{b}", f"0{a}-{b[:3]} {b[3:]}"])  # fmt: skip


def spelled(address):
    return rng.choice([address, address.upper(), address.capitalize()])


old, new, people = [], [], []
for name, place in zip(names, where):
    given, family = name.split()
    shared, extra = number(), number()
    mails = [f"{n}{rng.randint(1, 99)}@{d}.example" for n, d in (("me", "home"), ("desk", "work"))]
    tels, addresses = {shared}, set()
    if place in ("one", "both"):
        numbers = [shared, extra] if rng.random() < 0.5 else [shared]
        tels |= set(numbers)
        addresses.add(mails[0])
        encoded = quopri.encodestring(name.encode()).decode().strip()
        if len(encoded) > 12 and "=" not in encoded[6:10] and encoded[9] != " ":
            encoded = encoded[:9] + "=\r\n" + encoded[9:]
        short = quopri.encodestring(f"{given[0]}. {family}".encode()).decode().strip() if place == "both" else encoded
        lines = ["BEGIN:VCARD", "VERSION:2.1", f"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{short}", *(f"TEL;CELL:{written(n)}" for n in numbers),
                 f"EMAIL;INTERNET:{spelled(mails[0])}", "END:VCARD"]  # fmt: skip
        old.append("\r\n".join(lines) + "\r\n")
    if place in ("two", "both"):
        mine = rng.choice(mails) if place == "both" else mails[1]
        addresses.add(mine)
        numbers = [shared] if rng.random() < 0.7 else [number(), shared]
        tels |= set(numbers)
        shown = spelled(mine)
        half = len(shown) // 2
        lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{name}", f"N:{family};{given};;;", *(f"TEL;TYPE=CELL:{written(n)}" for n in numbers),
                 f"EMAIL;TYPE=HOME:{shown[:half]}\r\n {shown[half:]}" if rng.random() < 0.4 else f"EMAIL:{shown}", "END:VCARD"]  # fmt: skip
        new.append("\r\n".join(lines) + "\r\n")
    people.append([name, sorted(p["country"] + n for n in tels), sorted(addresses)])
rng.shuffle(old)
rng.shuffle(new)
for file, cards in ((p["one"], old), (p["two"], new)):
    with open(file + ".vcf", "w", encoding="utf-8", newline="") as out:
        out.write("".join(cards))
print(json.dumps({"people": sorted(people), "both": where.count("both")}))
