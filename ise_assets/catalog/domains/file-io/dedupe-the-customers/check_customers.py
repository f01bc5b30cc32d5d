"""Each address once, under the lowest id; every order with its right owner; the address cannot come twice again."""

import json
import os
import sqlite3

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
book = sqlite3.connect(f"{p['root']}/{p['db']}.db")
customers = {str(i): mail or "" for i, mail in book.execute("SELECT id, email FROM customers")}
assert customers == truth["customers"], f"{len(customers)} customers, expected {len(truth['customers'])} with clean addresses"
owners = {str(i): owner for i, owner in book.execute("SELECT id, customer_id FROM orders")}
strays = {i for i in truth["owners"] if owners.get(i) != truth["owners"][i]}
assert not strays, f"orders with a wrong owner or gone: {sorted(strays)[:8]}"
try:
    book.execute("INSERT INTO customers (name, email) VALUES ('twice', ?)", (truth["top"],))
except sqlite3.IntegrityError as error:
    print("a second one is refused:", error)
else:
    raise SystemExit("the same address can be stored twice")
