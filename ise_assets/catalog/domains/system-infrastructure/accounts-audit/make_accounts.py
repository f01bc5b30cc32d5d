"""Writes passwd, group, last logins and rules with exceptions; prints what breaks them."""

import datetime
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
trade, months = p["trade"], p["months"]
people = rng.sample(["ada", "bela", "cleo", "dario", "edda", "finn", "greta", "hamid", "ines", "jonas", "kaya", "lars", "mira", "nils"], p["people"])
services = rng.sample(["backup", "mailer", "queue", "metrics", "proxy", "sync", "spool"], 5)
today = datetime.date(2026, 7, 1)
year, month = divmod(2026 * 12 + 6 - months, 12)
limit = datetime.date(year, month + 1, 1)
users, last, found = [("root", 0, "/bin/bash")], {"root": "2026-06-28"}, set()
second = rng.choice([f"{trade}-admin", "toor", "rescue"])
users.append((second, 0, "/bin/bash"))
last[second] = "2026-06-20"
found |= {("root-id", second), ("shared-uid", second), ("shared-uid", "root")}
shelled = rng.sample(services, 3)
for n, name in enumerate(services):
    users.append((name, 110 + n, "/bin/sh" if name in shelled else "/usr/sbin/nologin"))
    if name in shelled:
        found.add(("service-shell", name))
ids = rng.sample(range(1000, 1060), len(people))
ids[1] = ids[0]
found |= {("shared-uid", people[0]), ("shared-uid", people[1])}
for n, name in enumerate(people):
    stale = n in (2, 4, 5)
    day = limit - datetime.timedelta(days=rng.randint(1, 200)) if stale else limit + datetime.timedelta(days=rng.randint(0, (today - limit).days - 1))
    shell = "/bin/false" if n == 4 else "/bin/bash"
    users.append((name, ids[n], shell))
    if n == 5:
        day = None
    last[name] = day.isoformat() if day else ""
    if stale and n != 4:
        found.add(("unused", name))
night = f"{trade}-night"
users.append((night, 1100, "/bin/bash"))
last[night] = (limit - datetime.timedelta(days=20)).isoformat()
head, tail = users[:1], users[1:]
rng.shuffle(tail)
Path("passwd").write_text("".join(f"{n}:x:{u}:{u}:{n.capitalize()}:/home/{n}:{s}\n" for n, u, s in head + tail), "utf-8")
ghosts = rng.sample(["otto", "petra", "quint", "rosa"], 2)
for name in ghosts:
    found.add(("ghost-member", name))
groups = {trade: [*rng.sample(people, 3), ghosts[0]], "sudo": [people[0], ghosts[1]], "print": rng.sample(people, 2), "idle": []}
Path("group").write_text("".join(f"{g}:x:{n + 2000}:{','.join(m)}\n" for n, (g, m) in enumerate(groups.items())), "utf-8")
rows = [(n, d) for n, d in last.items()]
rng.shuffle(rows)
Path("lastlog.csv").write_text("account,last\n" + "".join(f"{n},{d}\n" for n, d in rows), "utf-8")
allowed = shelled[0]
found.discard(("service-shell", allowed))
found.discard(("shared-uid", "root"))
Path("rules.md").write_text(
    f"# Accounts on {p['host']}\n\n"
    "- **shared-uid**: no two accounts have the same user id; each of them is a finding. Except: root.\n"
    "- **root-id**: only root has user id 0.\n"
    f"- **service-shell**: accounts with a user id from 1 to 999 have no login shell (nologin or false). Except: {allowed}.\n"
    "- **ghost-member**: every member of a group is an account.\n"
    f"- **unused**: accounts from user id 1000 with a login shell have logged in during the last {months} months (or are a finding, "
    f"also when they never have). Except: {night}.\n",
    "utf-8",
)
print(json.dumps({"rows": sorted(found), "count": len(found), "second": second}))
