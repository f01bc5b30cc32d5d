"""A shallow clone of a repository that no longer exists, and a note on what became of it."""

import json
import os
import random
import shutil
import subprocess
from datetime import datetime, timedelta, timezone

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s = p["subject"]
start, made = datetime(2025, 9, 1, 9, 0, tzinfo=timezone.utc), 0
origin = f"/tmp/{p['server']}-{s['repo']}"


def git(*arguments, where=origin, who=None):
    env = dict(os.environ)
    if who:
        moment = (start + timedelta(hours=made * 71)).isoformat()
        mail = who.split()[0].lower() + "@" + s["repo"] + ".example"
        for role in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{role}_NAME": who, f"GIT_{role}_EMAIL": mail, f"GIT_{role}_DATE": moment}
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True, env=env, cwd=where
    ).stdout.strip()


def put(path, text):
    with open(os.path.join(origin, path), "w", encoding="utf-8") as handle:
        handle.write(text)


points = [
    "keys hang by the door",
    "report damage at once",
    "two people sign",
    "the log is kept in ink",
    "visitors register",
]
figure, chosen, remarks = p["old"], rng.sample(points, 3), []


def commit(message, who):
    global made
    made += 1
    body = "".join(f"- {point}\n" for point in chosen)
    put(s["file"], f"# {s['repo']}\n\n{body}- {s['term']}: {figure} {s['unit']}\n")
    put("remarks.md", "# Remarks\n\n" + "".join(f"{n}. see page {page}\n" for n, page in enumerate(remarks, 1)))
    git("add", "-A")
    git("commit", "-q", "-m", message, who=who)


os.makedirs(origin)
git("init", "-q", "-b", "main")
commit("First version", p["people"][0])
early = rng.randint(2, 4)
for number in range(early + 3 + p["depth"]):
    remarks.append(rng.randint(2, 90))
    message = f"Remark {number + 1}"
    if number == early:
        figure, message = p["old"] + p["step"], "Changes after the meeting"
    elif number % 3 == 2:
        chosen.append(f"{rng.choice(points)} ({rng.randint(2, 9)})")
        message = "Add a point"
    commit(message, p["people"][number % 4])
here = os.getcwd()
git("clone", "-q", "--depth", str(p["depth"]), f"file://{origin}", ".", where=here)
git("remote", "set-url", "origin", f"/srv/{p['server']}/{s['repo']}.git", where=here)
shutil.rmtree(origin)
first = git("log", "--reverse", "--format=%h", where=here).split()[0]
os.makedirs(f"{p['home']}/memory", exist_ok=True)
with open(f"{p['home']}/memory/{s['repo']}.md", "w", encoding="utf-8") as handle:
    handle.write(
        f"# {s['repo']}\n\n- the repository {s['repo']} was cloned from the server {p['server']} in a hurry, the day before the move\n"
        f"- the server {p['server']} was wiped after the move; its backup tapes cannot be read, nobody else had a clone\n"
    )
print(json.dumps({"first": first[:7], "head": git("rev-parse", "HEAD", where=here)}))
