"""Writes the API's records per profile and a client config with a token for each; prints the truths."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
profiles = ["archive", "reporting", "branch-west", "branch-east"]
rng.shuffle(profiles)
tokens = {"".join(rng.choices("abcdefghjkmnpqrstuvwxyz23456789%", k=32)): profile for profile in profiles}
states = ["overdue", "disputed", "returned", "unassigned", "paused", "settled", "open"]
customers = ["Novák & Co", "Quayside Ltd", "Møller Bros", "Tansy's", "Gruber KG", "Iris Ltd", "Pomeroy, sons", "Ana Želić"]
records = {}
for profile in profiles:
    numbers = rng.sample(range(1000, 99999), p["total"])
    rows = [
        {"id": number, "state": rng.choice(states), "customer": rng.choice(customers), "cents": rng.randint(105, 987654)}
        for number in numbers
    ]
    for row in rng.sample(rows, 4):
        row["state"] = p["state"]
    records[profile] = rows
cursors = ["".join(rng.choices("abcdefghijkmnpqrstuvwxyz", k=10)) for _ in range(p["total"] // p["page_size"] + 2)]
with open(f"/home/user/.local/share/api-{p['ports']['web']}/data.json", "w", encoding="utf-8") as handle:
    json.dump({"tokens": tokens, "records": records, "cursors": cursors}, handle)
lines = [f"; client settings for {p['app']}"]
for token, profile in tokens.items():
    lines += ["", f"[{profile}]", f"owner = {rng.choice(['finance', 'sales', 'service'])}", f"token = {token}"]
with open(os.open("client.ini", os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as handle:
    handle.write("\n".join(lines) + "\n")
wanted = sorted((row for row in records[p["profile"]] if row["state"] == p["state"]), key=lambda row: row["id"])
total = sum(row["cents"] for row in wanted)
print(json.dumps({"count": len(wanted), "sum": f"{total / 100:.2f}", "rows": [[r["id"], r["customer"], r["cents"]] for r in wanted]}))
