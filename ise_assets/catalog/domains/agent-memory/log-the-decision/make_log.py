"""Writes a project's decision log with its own rules, chained supersessions and decisions that rest on others."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
folder = f"{p['home']}/memory/{p['slug']}"
os.makedirs(folder)
others = [
    "Invoices are numbered per year", "Backups leave the house every Friday", "The newsletter is plain text",
    "Suppliers answer within three days or are called", "Photos are kept at full size", "Meetings end at five",
    "The archive is read only", "Names are spelled as on the badge", "Orders below 20 are collected weekly",
    "The shop closes in the first week of July", "Quotes are valid for a month", "Labels are printed in house",
]  # fmt: skip
titles = rng.sample(others, p["count"])
place = rng.randint(1, p["count"] - 4)
first = rng.randint(3, 60)
numbers = [first + n for n in range(p["count"] + 2)]
titles.insert(place, f"Use {p['older']} for {p['topic']}")
later = rng.randint(place + 1, p["count"] - 2)
titles.insert(later, f"Use {p['old']} for {p['topic']}")
after = list(range(later + 1, len(titles)))
resting = sorted(rng.sample(after, rng.randint(1, min(3, len(after)))))
with open(folder + "/decisions.md", "w", encoding="utf-8") as out:
    out.write(
        f"# Decisions of {p['project']}\n\n"
        "Rules: newest at the end. The next entry takes the next number. Every entry has the four lines Status, Date,\n"
        "Reason and Depends, in this order. An entry that no longer holds keeps its text; only its Status becomes\n"
        "`superseded by D-nnn`. The new one depends on what it replaces being gone, not on it: Depends is `-`.\n"
    )
    for n, title in enumerate(titles):
        status = "accepted"
        depends = "-"
        if n == place:
            status = f"superseded by D-{numbers[later]:03d}"
        elif n in resting:
            depends = f"D-{numbers[later]:03d}"
        elif n > 1 and n != later and rng.random() < 0.3:
            depends = f"D-{numbers[rng.choice([k for k in range(n) if k not in (place, later)])]:03d}"
        reason = rng.choice(["cheaper over a year", "asked for by the team", "fewer mistakes", "the old way took too long"])
        date = f"2025-{1 + n * 11 // len(titles):02d}-{rng.randint(1, 28):02d}"
        out.write(f"\n## D-{numbers[n]:03d} {title}\nStatus: {status}\nDate: {date}\nReason: {reason}\nDepends: {depends}\n")
with open("README.md", "w", encoding="utf-8") as out:
    out.write(f"# {p['project']}\n\nHow we work. Decisions are kept in the notes.\n\n- {p['topic']}: {p['old']}\n- opening hours: 9 to 5\n")
print(json.dumps({
    "old_id": f"D-{numbers[later]:03d}", "new_id": f"D-{numbers[-1] + 1:03d}", "older_id": f"D-{numbers[place]:03d}",
    "resting": "".join(f"(?=[\\s\\S]*D-{numbers[n]:03d})" for n in resting), "head": len(titles),
}))  # fmt: skip
