"""Writes invoices whose account numbers are typed in several ways; some accounts bear several names, one of them declared."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
first = ["Aldermoor", "Brückner", "Castell", "Delphin", "Evermead", "Fjord", "Granit", "Hollin", "Isar", "Juniper", "Kestrel", "Linden"]
second = ["Trading", "Supply", "& Sons", "Handel", "Works", "Service", "Import", "Goods"]
names = rng.sample([f"{a} {b}" for a in first for b in second], p["suppliers"] + p["shared"] + 2)


def account():
    return f"XX{rng.randint(10, 99)}" + "".join(str(rng.randint(0, 9)) for _ in range(16))


owners = {account(): [name] for name in names[: p["suppliers"]]}
extra = names[p["suppliers"] :]
accounts = list(owners)
shared = rng.sample(accounts, p["shared"])
for one in shared:
    owners[one].append(extra.pop())
declared = rng.choice([one for one in accounts if one not in shared])
owners[declared].append(extra.pop())
if len(owners[shared[0]]) == 2 and rng.random() < 0.5:
    owners[shared[0]].append(extra.pop())


def typed(text):
    if rng.random() < 0.5:
        text = " ".join(text[n : n + 4] for n in range(0, len(text), 4))
    return text.lower() if rng.random() < 0.3 else text


rows, sums = [], {}
for one, who in owners.items():
    for name in who:
        for _ in range(rng.randint(2, 4)):
            cents = rng.randint(4_000, 900_000)
            sums[one] = sums.get(one, 0) + cents
            shown = f" {name}" if rng.random() < 0.1 else name
            rows.append(f"2026-{rng.randint(1, 9):02}-{rng.randint(1, 28):02},{shown},{rng.choice(p['kind']['goods'])},{typed(one)},{cents / 100:.2f}")
rng.shuffle(rows)
with open("invoices.csv", "w", encoding="utf-8") as handle:
    handle.write("date,supplier,goods,iban,amount\n" + "\n".join(rows) + "\n")
with open("declared.txt", "w", encoding="utf-8") as handle:
    handle.write("# accounts that several suppliers have declared to us as common\n" + " ".join(declared[n : n + 4] for n in range(0, len(declared), 4)) + "\n")
found = {one: sorted(owners[one]) for one in shared}
top = max(found, key=lambda one: sums[one])
truth = {"shared": found, "count": len(found), "total": f"{sums[top] / 100:.2f}"}
print(json.dumps({**truth, "name_one": found[top][0], "name_two": found[top][1]}))
