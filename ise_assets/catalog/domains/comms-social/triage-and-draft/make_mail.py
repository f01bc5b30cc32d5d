"""Fills a maildir with newsletters and customer mail in several encodings; prints who asked first about an order."""

import json
import os
import random
from email.message import EmailMessage

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
for box in ("", "/.Lists", "/.Drafts"):
    for part in ("cur", "new", "tmp"):
        os.makedirs(f"Maildir{box}/{part}")
numbers = rng.sample(range(10000, 99999), 8)
orders = {str(n): rng.randint(1500, 90000) for n in numbers}
askers = rng.sample(["Jürgen Öttl", "Mona Reyes", "Søren Dahl", "Ada Okafor", "Chloé Martin", "Ivo Novák"], 3)
hours = sorted(rng.sample(range(1, 400), p["mails"]))
kinds = ["ask"] * 3 + ["list"] * (p["mails"] // 2)
kinds += ["other"] * (p["mails"] - len(kinds))
rng.shuffle(kinds)
names = rng.sample(range(10**6, 10**7), p["mails"])  # file names do not follow the dates
first, lists, left = None, 0, list(numbers)
for number, (hour, kind) in enumerate(zip(hours, kinds)):
    mail = EmailMessage()
    mail["Date"] = f"{1 + hour // 24:d} Feb 2026 {hour % 24:02d}:{number:02d}:00 +0000"
    mail["To"] = p["shop"]
    mail["Message-ID"] = f"<{rng.randrange(10**9):09d}.{number}@mail.example>"
    if kind == "ask":
        who, order = askers.pop(), left.pop()
        address = f"customer{order}@example.org"
        mail["From"] = f"{who} <{address}>"
        mail["Subject"] = f"Größe und Lieferung, order {order}"
        mail.set_content(f"Hello,\n\nwhen will my order {order} arrive, and what does it come to?\n\nGrüße\n{who}\n", cte=rng.choice(["base64", "quoted-printable"]))
        first = first or {"id": mail["Message-ID"], "who": who, "address": address, "order": str(order), "subject": mail["Subject"]}
    elif kind == "list":
        lists += 1
        mail["From"] = f"{rng.choice(p['senders'])} <news@{rng.choice(['deals', 'trade', 'expo'])}.example>"
        mail["Subject"] = rng.choice(["Your order of the week", "Spring fair", "New arrivals – 20 % off"])
        mail["List-Unsubscribe"] = "<mailto:leave@lists.example>"
        mail.set_content("Order now, order often.\n")
    else:
        mail["From"] = f"{rng.choice(['Post room', 'Landlord', 'Bookkeeping'])} <desk{number}@example.net>"
        mail["Subject"] = rng.choice(["Keys", "Parcel left next door", "Receipts for January"])
        mail.set_content("Nothing urgent. To leave the list of parcels, see List-Unsubscribe: at the desk.\n")
    with open(f"Maildir/new/{names[number]}.M{number}.host", "wb") as handle:
        handle.write(bytes(mail))
with open("orders.csv", "w", encoding="utf-8") as handle:
    handle.write("order;cents;state\n" + "".join(f"{n};{c};packed\n" for n, c in orders.items()))
cents = orders[first["order"]]
print(json.dumps({**first, "total": "%d.%02d" % divmod(cents, 100), "lists": lists, "rest": p["mails"] - lists}))
