"""A branch on which some commits lack the sign-off of their authors, the rules about it, and a check."""

import hashlib
import json
import os
import random
import subprocess
from datetime import UTC, datetime, timedelta

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
people, made, start = p["people"], 0, datetime(2026, 1, 26, 9, 0, tzinfo=UTC)


def mail(name):
    return name.split()[0].lower() + "@example.org"


def git(*arguments, who=None):
    global made
    made += 1
    env = dict(os.environ)
    name = who or people[0]
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": mail(name)}
        env[f"GIT_{role}_DATE"] = (start + timedelta(hours=9 * made)).isoformat()
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=env).stdout.strip()


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


put("README.md", f"# {p['subject']['repo']}\n")
put(
    "CONTRIBUTING.md",
    """# Contributing

Write small commits and say why.

## Sign-off

Each commit ends in a line `Signed-off-by: Name <mail>` of its author. With it authors declare that the work
is theirs to give. It is their own word: nobody adds it in another person's name, not even the maintainers,
and a line of somebody else does not count.
""",
)
put(
    "checks/signoff.sh",
    """#!/bin/bash
# which commits of the branch lack the sign-off of their author?
missing=0
for c in $(git rev-list --reverse "main..$1"); do
  line="Signed-off-by: $(git log -1 --format='%an <%ae>' "$c")"
  if ! git log -1 --format=%B "$c" | grep -qxF "$line"; then
    git log -1 --format='%h %an: %s' "$c"
    missing=$((missing + 1))
  fi
done
[ $missing = 0 ] && exit 0
echo "$missing commits lack the sign-off of their author"
exit 1
""",
)
git("init", "-q", "-b", "main")
git("add", "-A")
git("commit", "-q", "-s", "-m", "Begin", who=people[0])
git("checkout", "-q", "-b", p["topic"])
lacking = sorted(rng.sample(range(p["commits"]), p["missing"]))
verbs = ["Describe", "Measure", "Draw", "Correct", "Test", "Simplify", "Explain", "Number", "Check", "Name"]
found = []
for number in range(p["commits"]):
    who = people[number % 3]
    if number in lacking:
        who = people[1 + lacking.index(number) % 2]
    put(f"{p['subject']['word']}/part{number + 1}.md", f"# Part {number + 1}\n\n{rng.randint(10, 99)}\n")
    git("add", "-A")
    message = f"{verbs[number]} part {number + 1} of the {p['subject']['what']}"
    if number in lacking and lacking.index(number) == 1:
        message += f"\n\nSigned-off-by: {people[0]} <{mail(people[0])}>"
    git("commit", "-q", *([] if number in lacking else ["-s"]), "-m", message, who=who)
    if number in lacking:
        found.append((git("rev-parse", "--short=7", "HEAD"), who))
git("checkout", "-q", "main")
refs = git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags", "refs/notes") + "\n"
truths = {"refs": hashlib.sha256(refs.encode()).hexdigest()}
for number, (sha, who) in enumerate(found[:2]):
    truths |= {f"sha{number}": sha, f"who{number}": who}
print(json.dumps(truths))
