"""Writes a newsletter's list, bounce mails with permanent and temporary codes, and those who left; prints the outcome."""

import json
import os
import random
import string

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
os.makedirs("bounces")
addresses = [
    f"{''.join(rng.sample(string.ascii_lowercase, 6))}{n}@{rng.choice(['home', 'mail', 'post', 'inbox'])}.example"
    for n in range(p["readers"])
]
chosen = rng.sample(addresses, p["hard"] + p["soft"] + p["left"])
hard, soft, left = chosen[: p["hard"]], chosen[p["hard"] : p["hard"] + p["soft"]], chosen[p["hard"] + p["soft"] :]
left.append(hard[0])  # bounced and left
stray = "someone-else@away.example"
shown = {a: a if rng.random() < 0.7 else a.capitalize() for a in addresses}
with open("subscribers.csv", "w", encoding="utf-8") as out:
    out.write(
        "address,since,language\n"
        + "".join(f"{shown[a]},20{rng.randint(12, 25)},{rng.choice(['en', 'de', 'fr'])}\n" for a in addresses)
    )
bounces = [(a, rng.choice(["5.1.1", "5.1.10", "5.4.4"])) for a in [*hard, stray]] + [
    (a, rng.choice(["4.2.2", "4.4.1", "4.7.0"])) for a in soft
]
bounces.append((hard[1], "5.1.1"))
rng.shuffle(bounces)
for n, (address, status) in enumerate(bounces):
    lines = [
        "From: MAILER-DAEMON@relay.example", "To: news@letter.example", "Subject: Delivery status notification", f"Message-ID: <{rng.randrange(10**7)}.{n}@relay.example>",
        "MIME-Version: 1.0", 'Content-Type: multipart/report; report-type=delivery-status; boundary="part-x"', "",
        "--part-x", "Content-Type: text/plain", "", "Some addresses had errors. A code that begins with 5 is final, see Status: 5 and Status: 4 in the RFC.", "",
        "--part-x", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; relay.example", "",
        f"Final-Recipient: rfc822; {rng.choice([address, address.upper()])}", f"Action: {'failed' if status[0] == '5' else 'delayed'}", f"Status: {status}", "", "--part-x--", "",
    ]  # fmt: skip
    with open(f"bounces/{rng.randrange(10**6):06d}-{n}.eml", "w", encoding="utf-8", newline="") as out:
        out.write("\r\n".join(lines))
with open("unsubscribed.txt", "w", encoding="utf-8") as out:
    for address in rng.sample(left, len(left)):
        out.write(f"{rng.choice([address, address.upper()])}  {rng.choice(['by link', 'by mail', 'rang us'])}\n")
gone = {**dict.fromkeys(hard, "bounced"), **dict.fromkeys(left, "unsubscribed")}
kept = [shown[a] for a in addresses if a not in gone]
print(json.dumps({"kept": kept, "gone": sorted([a, why] for a, why in gone.items()), "remaining": len(kept)}))
