"""Writes a club's notes with traces of one person, people with similar names, and rules for removals."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
who, club = p["who"], p["club"]
full, alias, like = who["full"], who["alias"], who["like"]
phone, mail = f"0{rng.randrange(10**7, 10**8)}", f"{alias}@post.example"
folder = Path(p["home"], "memory", p["slug"])
folder.mkdir(parents=True)
others = rng.sample(["Ulla Berg", "Pim Kortland", "Otis Wray", "Hedda Moll", "Sven Arp", "Rita Voss"], 4)
receipt = f"R-{rng.randrange(100, 999)}"
# line, what becomes of it
lines = {
    "members.md": [
        (f"- {full}: alias {alias}, phone {phone}, mail {mail}, since 2021", "remove"),
        (f"- {like}: alias {alias}2, phone {phone}1, mail x{mail}, since 2019", "keep"),
        *((f"- {o}: phone 0{rng.randrange(10**7, 10**8)}, since 20{rng.randint(10, 25)}", "keep") for o in others),
    ],
    "meetings.md": [
        (f"- 2026-02-03: {full} with {others[0]} about the hall", "change"),
        (f"- 2026-02-17: {like} with {others[1]} about keys", "keep"),
        (f"- 2026-03-03: {alias} will bring tea", "remove"),
        (f"- 2026-04-07: {others[2]} and {full} count the money", "change"),
    ],
    "money.md": [
        (f"- receipt {receipt}: {full} paid the fee of 2025", "keep"),
        (f"- {others[3]} owes 12 euros", "keep"),
        (f"- {full} still has the deposit of 20 euros", "remove"),
    ],
    "calls.md": [
        (f"- 2026-01-11: call back {phone}", "remove"),
        (f"- 2026-01-12: call back {phone}1", "keep"),
        (f"- 2026-05-02: wrote to {mail}", "remove"),
    ],
}
extra = [
    ("meetings.md", f"- 2026-05-0{{}}: {alias} with {others[1]} on the door", "change"),
    ("calls.md", f"- 2026-05-1{{}}: {full} rang, no message", "remove"),
    ("meetings.md", f"- 2026-05-2{{}}: {others[2]} with {others[3]} on the door", "keep"),
    ("calls.md", f"- 2026-04-1{{}}: {like} rang", "keep"),
]
for n in range(p["entries"] - 11):
    name, text, fate = rng.choice(extra)
    lines[name].append((text.format(n), fate))
removed = changed = 0
after = {}
for name, found in lines.items():
    rng.shuffle(found)
    head = f"# {club.capitalize()}: {name[:-3]}\n\n"
    (folder / name).write_text(head + "".join(line + "\n" for line, _ in found), "utf-8")
    left = []
    for line, fate in found:
        removed += fate == "remove"
        changed += fate == "change"
        if fate == "change":
            line = line.replace(full, "a former member").replace(alias, "a former member")
        if fate != "remove":
            left.append(line)
    after[name] = head + "".join(line + "\n" for line in left)
log = f"# {club.capitalize()}: log of removals\n\n- 2025-09-30: 4 lines removed, 1 changed\n"
(folder / "removals.md").write_text(log, "utf-8")
after["removals.md"] = f"{log}- 2026-06-15: {removed} lines removed, {changed} changed\n"
(folder / "removal.md").write_text(
    f"# {club.capitalize()}: rules for the removal of a person\n\n"
    "- A person's traces are the name, the alias, the phone number and the mail address (members.md has them).\n"
    "- A line that is about the person alone is removed. A line about the person with others (it says `with` or `and`) stays; each trace becomes `a former member`.\n"
    "- Receipts have to be kept for ten years by law, as they are.\n"
    "- removals.md gets a line at its end: `- DATE: N lines removed, N changed`, and no name.\n",
    "utf-8",
)
print(json.dumps({"notes": after, "removed": removed, "changed": changed, "kept": receipt}))
