"""Writes an mbox with a poll, votes in several encodings, quotes and second thoughts; prints counts and winner."""

import json
import os
import random
from email.message import EmailMessage

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
letters = "ABCDE"[: p["options"]]
days = sorted(rng.sample(range(1, 29), p["options"]))
week = ["Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday"]
dates = {
    o: f"{week[(d - 1) % 7]}, {d} April, {rng.randint(9, 19)}:{rng.choice(['00', '30'])}" for o, d in zip(letters, days)
}
people = rng.sample(["Ásta Ólafs", "Ben Carey", "Chidi Eze", "Dörte Lang", "Eva Roux", "Fritz Maaß", "Gia Conti", "Hugh Penn", "Inés Vidal", "Jo Blake", "Kim Seo"], p["voters"])  # fmt: skip
organiser = "Mara Quist"


def address(name):
    return "".join(c for c in name.lower() if c.isascii() and c.isalpha()) + "@post.example"


def ballot():
    return {o: rng.choice(["yes", "yes", "maybe", "no", "no"]) for o in letters}


while True:
    final = {who: ballot() for who in people}
    tally = {o: [sum(v[o] == kind for v in final.values()) for kind in ("yes", "maybe")] for o in letters}
    ranked = sorted(tally.values(), reverse=True)
    if ranked[0] != ranked[1]:
        break
winner = max(letters, key=lambda o: tally[o])
changed = rng.sample(people, 2 + p["voters"] // 5)
events = [(who, final[who]) for who in people]
rng.shuffle(events)
early = [(who, ballot()) for who in changed]
mails = [
    (
        organiser,
        "Which day suits you?\n\n"
        + "".join(f"{o} = {d}\n" for o, d in dates.items())
        + "\nOne line per option, please, like\n  A: yes\n",
    )
]
said = []
for who, votes in early + events:
    text = rng.choice(["Hello,\n\n", "Hi all – my votes:\n", "Schöne Grüße!\n\n"]) + "".join(
        f"{o}: {rng.choice([v, v.capitalize()])}\n" for o, v in votes.items()
    )
    if said and rng.random() < 0.6:
        before = rng.choice(said)
        text += f"\n{before[0]} wrote:\n" + "".join(f"> {line}\n" for line in before[1].splitlines())
    said.append((who, text))
    mails.append((who, text))
mails.append((organiser, "Thank you! I'll count them – in a minute.\n"))
minute, blocks = 0, []
for who, text in mails:
    minute += rng.randint(20, 900)
    mail = EmailMessage()
    mail["From"] = f"{who} <{address(who)}>" if rng.random() < 0.7 else f"<{address(who).upper()}>"
    mail["To"] = "all@post.example"
    mail["Subject"] = ("" if not blocks else "Re: ") + f"{p['plan']}: which day?"
    zone = rng.choice([0, 60, -300])
    local = minute + zone + 6000
    mail["Date"] = (
        f"{1 + local // 1440} Feb 2026 {local // 60 % 24:02d}:{local % 60:02d}:00 {'-' if zone < 0 else '+'}{abs(zone) // 60:02d}00"
    )
    mail.set_content(text, cte=rng.choice(["base64", "quoted-printable", "8bit"]), charset="utf-8")
    blocks.append(b"From poll@post.example Mon Feb  2 09:00:00 2026\n" + bytes(mail) + b"\n")
head, rest = blocks[0], blocks[1:]
rng.shuffle(rest)  # the box does not keep the order of the dates
with open("poll.mbox", "wb") as out:
    out.write(head + b"".join(rest))
people = [{"address": c} for c in ["#everyone", "#notice-board", "#members", "#plans", "#weekend", "#schwarzes-brett"]]
with open(f"{p['home']}/.local/share/messages-{p['ports']['mail']}/rules.json", "w", encoding="utf-8") as out:
    json.dump({"people": people}, out)
rows = [[o, str(tally[o][0]), str(tally[o][1])] for o in letters]
print(json.dumps({"rows": rows, "winner": winner, "date": dates[winner]}))
