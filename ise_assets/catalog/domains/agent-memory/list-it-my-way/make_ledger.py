"""Writes the invoices and the notes: what the user once wished, what they changed later, and notes about others."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
rows = []
for number in rng.sample(range(100, 999), p["rows"]):
    due = "2026-%02d-%02d" % (rng.randint(1, 3), rng.randint(1, 28))
    rows.append([f"R{number}", rng.choice(p["payers"]), due, "%.2f" % (rng.randint(1500, 250000) / 100), rng.choice(["open", "open", "paid", "Paid ", "OPEN"])])
for row, status in zip(rows, ["open", "OPEN", "paid", "Paid "]):
    row[4] = status
with open("invoices.csv", "w", encoding="utf-8", newline="") as out:
    out.write("id,customer,due,amount,status\r\n" + "".join(",".join(row) + "\r\n" for row in rows))
notes = f"{p['home']}/memory/{p['slug']}"
os.makedirs(notes)
dates = {"iso": "as YYYY-MM-DD", "german": "as DD.MM.YYYY", "slash": "as DD/MM/YYYY"}
orders = {"due": "oldest due date first", "amount": "biggest amount first", "customer": "by customer, then by id"}
seps = {";": "semicolons", "|": "pipes"}
old = rng.choice([key for key in dates if key != p["date"]])
old_order = rng.choice([key for key in orders if key != p["order"]])
with open(f"{notes}/preferences.md", "w", encoding="utf-8") as out:
    out.write(f"# {p['business']}: how they want things\n\n")
    out.write(f"- 2025-06-11 Lists of open invoices: columns id, customer, due, amount, separated by {seps[p['sep']]}.\n")
    out.write(f"- 2025-06-11 Lists of open invoices: dates {dates[old]}, {orders[old_order]}.\n")
    out.write("- 2025-08-30 Mails: no exclamation marks, sign with first name only.\n")
    out.write("- 2025-10-02 Status in the books is typed by hand: ignore case and blanks.\n")
    out.write(f"- 2026-01-19 Changed (replaces what was said in June about dates and order): dates {dates[p['date']]}, {orders[p['order']]}.\n")
    out.write(f"- 2026-02-04 Never put invoices of {p['payers'][0]} into a list, they pay through the lawyer.\n")
with open(f"{notes}/2026-02.md", "w", encoding="utf-8") as out:
    out.write("# February\n\nTalked about the move of the store room. The reminder letters went out on the 20th.\n")
    out.write("Asked for a list of open invoices twice; see preferences for the form.\n")
