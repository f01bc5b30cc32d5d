"""Writes a chat export with expenses among small talk, corrections and cancellations; prints the balances."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
people, double = p["people"], p["people"][p["double"]]
talk = ["Are we there yet?", "Who has the keys?", "Look at this view 😍", "I owe you a coffee, 3 euros tops", "See you at 8",
        "It was 45 degrees in the car", "Thanks!!", "Train 17.10 or 18.40?", "Grüße aus dem Stau"]
messages, paid, own = [], dict.fromkeys(people, 0), []


def add(sender, text, reply=None):
    number = 1001 + len(messages)
    second = 40000 + 97 * len(messages)
    entry = {"id": number, "type": "message", "date": f"2026-01-{10 + len(messages) // 12:02d}T{second // 3600 % 24:02d}:{second // 60 % 60:02d}:00",
             "from": sender}
    if reply:
        entry["reply_to_message_id"] = reply
    entry["text"] = text
    messages.append(entry)
    return number


def shown(cents):
    text = "%d.%02d" % divmod(cents, 100)
    return rng.choice([text, text.replace(".", ","), text + " €", text.replace(".", ",") + "€"])


messages.append({"id": 1000, "type": "service", "date": "2026-01-10T09:00:00", "actor": people[0], "action": "create_group", "text": ""})
for who in people:
    add(who, rng.choice(["Hi all", "I'm in!", "🎒 packed", "Hallo zusammen"]))
for number in range(p["count"]):
    for _ in range(rng.randint(0, 3)):
        add(rng.choice(people), rng.choice(talk))
    who, cents, what = rng.choice(people), rng.randint(450, 18000), rng.choice(p["things"])
    amount = shown(cents)
    plain = f" {amount} {what}"
    # the exporter splits a text at its hashtags
    text = [{"type": "hashtag", "text": "#paid"}, plain] if rng.random() < 0.8 else "#paid" + plain
    one = add(who, text)
    fate = {1: "fix", 3: "cancel"}.get(number) or rng.choice(["", "", "", "", "fix", "cancel"])
    if fate == "fix":
        cents = max(200, cents + rng.randint(-400, 900))
        add(rng.choice(people), rng.choice(talk))
        add(who, [{"type": "hashtag", "text": "#fix"}, " " + shown(cents)], one)
    elif fate == "cancel":
        add(who, [{"type": "hashtag", "text": "#cancel"}, rng.choice([" got it back", " wrong group, sorry"])], one)
        cents = 0
    paid[who] += cents
os.makedirs("ChatExport", exist_ok=True)
with open("ChatExport/result.json", "w", encoding="utf-8") as handle:
    json.dump({"name": p["group"], "type": "private_group", "messages": messages}, handle, ensure_ascii=False, indent=1)
heads = len(people) + 1
total = sum(paid.values())
balance = {who: round(paid[who] / 100 - total / 100 * (2 if who == double else 1) / heads, 2) for who in people}
top = max(people, key=lambda who: balance[who])
print(json.dumps({"total": "%.2f" % (total / 100), "balance": balance, "paid": paid, "top": top}))
