"""Builds the list as the latest wishes in the notes demand and compares, line by line."""

import csv
import json
import os

p = json.loads(os.environ["PARAMS"])
with open(p["root"] + "/invoices.csv", encoding="utf-8", newline="") as handle:
    rows = [r for r in csv.DictReader(handle) if r["status"].strip().lower() == "open" and r["customer"] != p["payers"][0]]
rows.sort(key=lambda r: r["id"])
key = {"due": lambda r: r["due"], "amount": lambda r: -float(r["amount"]), "customer": lambda r: (r["customer"], r["id"])}
rows.sort(key=key[p["order"]])


def day(iso):
    y, m, d = iso.split("-")
    return {"iso": iso, "german": f"{d}.{m}.{y}", "slash": f"{d}/{m}/{y}"}[p["date"]]


want = ["id customer due amount".split()] + [[r["id"], r["customer"], day(r["due"]), r["amount"]] for r in rows]
got = [line.split(p["sep"]) for line in open(p["root"] + "/open.csv", encoding="utf-8").read().split("\n") if line]
ties = p["order"] == "due"
assert got[0] == want[0], f"header is {got[0]}"
assert sorted(got) == sorted(want), f"{len(got)} lines, expected {len(want)}; first {got[1:2]}"
if ties:
    back = [r[2] for r in got[1:]]
    assert back == [r[2] for r in want[1:]], f"order of due dates is {back[:5]}"
else:
    assert got == want, f"order is {[r[0] for r in got]}, expected {[r[0] for r in want]}"
