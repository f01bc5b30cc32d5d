"""A sheet whose figure was changed by one person and whose shape was changed by another, later; and the known addresses."""

import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s, made, start = p["subject"], 0, datetime(2025, 11, 3, 10, 0, tzinfo=timezone.utc)
old_address = [name.split()[0].lower() + f"@{s['repo']}.example" for name in p["people"]]
new_address = [name.lower().replace(" ", ".") + "@example.org" for name in p["people"]]


def git(*arguments, who=0):
    global made
    made += 1
    env = dict(os.environ)
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": p["people"][who], f"GIT_{role}_EMAIL": old_address[who]}
        env[f"GIT_{role}_DATE"] = (start + timedelta(hours=29 * made)).isoformat()
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=env).stdout.strip()


def put(path, text):
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


figures = {name: rng.randint(2, 90) for name in [*s["other"][:3], s["term"], *s["other"][3:]]}
figures[s["term"]] = p["old"]


def sheet(table):
    if table:
        return f"# {s['repo']}\n\n| what | how much |\n|---|---|\n" + "".join(
            f"| {k} | {v} |\n" for k, v in figures.items()
        )
    return f"# {s['repo']}\n\n" + "".join(f"- {k}: {v}\n" for k, v in figures.items())


def commit(message, who, table=False):
    put(s["file"], sheet(table))
    git("add", "-A")
    git("commit", "-q", "-m", message, who=who)


git("init", "-q", "-b", "main")
commit("Write the sheet down", 0)
for number in range(2):
    figures[s["other"][number]] += rng.randint(1, 5)
    commit(f"Correct {s['other'][number]}", number)
figures[s["term"]] += p["change"]
figures[s["other"][4]] += 1
commit(rng.choice(["Small corrections", "As discussed", "Update after Tuesday"]), 1)
changed = git("rev-parse", "--short=7", "HEAD")
figures[s["other"][2]] += 2
commit(f"Correct {s['other'][2]}", 3)
commit("Make it a table", 2, True)
put(".mailmap", "".join(f"{n} <{new}> <{old}>\n" for n, new, old in zip(p["people"], new_address, old_address, strict=True)))
git("add", "-A")
git("commit", "-q", "-m", "New addresses", who=2)
for number in range(p["after"]):
    put("log.md", f"# Log\n\nentry {number + 1}\n")
    git("add", "-A")
    git("commit", "-q", "-m", f"Log entry {number + 1}", who=number % 4)
place = f"{p['home']}/.local/share/messages-{p['ports']['mail']}"
put(f"{place}/known.json", json.dumps(new_address))
head = git("rev-parse", "HEAD")
print(json.dumps({"short": changed, "name": p["people"][1], "to": new_address[1], "head": head}))
