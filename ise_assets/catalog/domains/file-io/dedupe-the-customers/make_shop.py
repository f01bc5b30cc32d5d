"""Writes a SQLite file in which some customers exist twice or thrice under the same address; prints what is right."""

import json
import os
import random
import sqlite3

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
given = ["Jörg", "Mira", "Anselm", "Zoë", "Tadeusz", "Inés", "Bjarne", "Käthe", "Oluchi", "Renée", "Sefa", "Ludo"]
family = ["Brügge", "Okafor", "Lindqvist", "Møller", "Achterberg", "Szabo", "Ferrante", "Quist", "Özkan", "Thorne"]
plain = str.maketrans("öëéäøüÖ", "oeeaouO")
people = rng.sample([(g, f) for g in given for f in family], p["people"])
rows = [(f"{g} {f}", f"{g}.{f}@example.org".translate(plain).lower()) for g, f in people]
copies = rng.sample(rows, p["doubles"])
copies += copies[: max(1, p["doubles"] // 4)]
mess = [str.upper, str.title, lambda s: " " + s, lambda s: s + " ", lambda s: s.replace("example", "Example")]
entries = [*rows, *((name, rng.choice(mess)(mail)) for name, mail in copies), *((f"walk-in {n}", None) for n in range(p["walk_ins"]))]
rng.shuffle(entries)
book = sqlite3.connect(f"{p['db']}.db")
book.executescript(
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT);"
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id) ON DELETE CASCADE,"
    " cents INTEGER NOT NULL);"
)
start = rng.randint(100, 900)
ids = range(start, start + len(entries))
book.executemany("INSERT INTO customers VALUES (?, ?, ?)", [(i, *entry) for i, entry in zip(ids, entries)])
orders = [(n, rng.choice(ids), rng.randint(500, 49900)) for n in range(1, p["orders"] + 1)]
book.executemany("INSERT INTO orders VALUES (?, ?, ?)", orders)
book.commit()
book.close()
keep, first = {}, {}
for i, (_, mail) in zip(ids, entries):
    keep[i] = first.setdefault(mail.strip().lower(), i) if mail else i
spent = {}
for _, customer, cents in orders:
    if entries[customer - start][1]:
        spent[keep[customer]] = spent.get(keep[customer], 0) + cents
top = max(spent, key=lambda i: spent[i])
print(
    json.dumps(
        {
            "removed": len(copies),
            "orders": len(orders),
            "cents": sum(cents for _, _, cents in orders),
            "owners": {str(n): keep[customer] for n, customer, _ in orders},
            "customers": {str(i): (entries[i - start][1] or "").strip().lower() for i in keep.values()},
            "top": entries[top - start][1].strip().lower(),
            "top_total": "%.2f" % (spent[top] / 100),
        }
    )
)
