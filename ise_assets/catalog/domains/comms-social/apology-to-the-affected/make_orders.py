"""Writes orders and a courier's log out of order: three parcels are still held, others were released or lie elsewhere."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
first = ["Agda", "Beppe", "Cato", "Dunya", "Egon", "Fadil", "Grit", "Heike", "Idris", "Jorunn", "Kaspar", "Lotte"]
numbers = sorted(rng.sample(range(10000, 99999), p["orders"]))
parcels = [f"{rng.choice('AKMTX')}{n}" for n in rng.sample(range(100000, 999999), p["orders"])]
emails = [f"{rng.choice(first).lower()}{n}@inbox.example" for n in rng.sample(range(10, 999), p["orders"])]
depots = ["Millfield", "Nordhafen", "Station Road", "Gewerbepark", "East Quay", "Airport South"]
fate = ["here"] * 3 + ["released"] * 3 + ["moved"] * 2 + ["away"] * 2 + ["fine"] * (p["orders"] - 10)
rng.shuffle(fate)


def when(day):
    return f"2026-02-{day:02d} {rng.randint(6, 21):02d}:{rng.randint(0, 59):02d}"


def expected():
    return f"2026-03-{rng.randint(4, 24):02d}"


lines, affected = [], []
for number, parcel, email, what in zip(numbers, parcels, emails, fate):
    elsewhere = rng.choice([d for d in depots if d != p["depot"]])
    lines.append(f"{when(rng.randint(12, 15))} parcel {parcel} TAKEN OVER from sender")
    if what == "fine":
        lines.append(f"{when(19)} parcel {parcel} DELIVERED")
        continue
    lines.append(
        f"{when(17)} parcel {parcel} HELD at {elsewhere if what == 'away' else p['depot']}, expected {expected()}"
    )
    if what == "released":
        lines.append(f"{when(20)} parcel {parcel} RELEASED at {p['depot']}, out for delivery")
    elif what == "moved":
        lines.append(f"{when(20)} parcel {parcel} HELD at {elsewhere}, expected {expected()}")
    elif what == "here":
        day = expected()
        lines.append(f"{when(21)} parcel {parcel} HELD at {p['depot']}, expected {day}")
        affected.append([str(number), email, day])
lines += [f"{when(18)} depot {d} short of drivers" for d in depots[:2]]
rng.shuffle(lines)
with open("courier.log", "w", encoding="utf-8") as out:
    out.write("".join(line + "\n" for line in lines))
with open("orders.csv", "w", encoding="utf-8", newline="") as out:
    out.write(
        "order,parcel,pieces,email\r\n"
        + "".join(f"{o},{q},{rng.randint(1, 9)},{e}\r\n" for o, q, e in zip(numbers, parcels, emails))
    )
rules = {"people": [{"address": e} for e in emails], "subject": True, "longest": 320}
with open(f"{p['home']}/.local/share/messages-{p['ports']['mail']}/rules.json", "w", encoding="utf-8") as out:
    json.dump(rules, out)
print(json.dumps({"affected": affected, "all_numbers": "".join(f"(?=[\\s\\S]*{o})" for o, _, _ in affected)}))
