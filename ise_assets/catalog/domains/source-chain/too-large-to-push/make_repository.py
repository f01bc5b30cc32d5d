"""A shared bare repository with a size limit, and a clone whose unpushed commits hold a file above it."""

import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s, start, made = p["subject"], datetime(2026, 2, 9, 8, 0, tzinfo=timezone.utc), 0
names = ["Mira Solheim", "Anton Breck"]


def git(*arguments, who=0, where="work"):
    global made
    made += 1
    env = dict(os.environ)
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": names[who], f"GIT_{role}_DATE": (start + timedelta(hours=made)).isoformat()}
        env[f"GIT_{role}_EMAIL"] = names[who].split()[0].lower() + "@example.org"
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=env, cwd=where)
    return done.stdout.strip()


def put(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(data if isinstance(data, bytes) else data.encode())


page, big, lines = f"work/{s['page']}.md", f"work/{s['dir']}/{s['big']}", [f"# {s['page']}\n"]


def commit(message, who):
    lines.append(f"- {message}: {rng.randint(10, 99)}\n")
    put(page, "".join(lines))
    git("add", "-A")
    git("commit", "-q", "-m", message, who=who)


os.makedirs("work")
git("init", "-q", "--bare", "-b", "main", "shared.git", where=".")
hook = f"""#!/bin/bash
# refuses commits that bring a file above {p["limit"]} KiB
zero=0000000000000000000000000000000000000000
while read -r old new ref; do
  [ "$old" = $zero ] && range=$new || range=$old..$new
  git rev-list --objects "$range" | git cat-file --batch-check='%(objecttype) %(objectsize) %(rest)' |
    while read -r type size name; do
      if [ "$type" = blob ] && [ "$size" -gt {p["limit"] * 1024} ]; then
        echo "$name is too large: $size bytes, the limit is {p["limit"]} KiB" >&2
        exit 1
      fi
    done || exit 1
done
"""
git("init", "-q", "-b", "main")
git("remote", "add", "origin", "../shared.git")
put("work/.gitignore", "*.tmp\n")
commit("Begin", 0)
commit("First entries", 1)
git("push", "-q", "-u", "origin", "main")
published = git("rev-parse", "HEAD")
for sample in os.listdir("shared.git/hooks"):
    os.remove(f"shared.git/hooks/{sample}")
put("shared.git/hooks/pre-receive", hook)
os.chmod("shared.git/hooks/pre-receive", 0o755)
touching = sorted(rng.sample(range(p["commits"] - 1), rng.randint(2, 4)))
topics = ["Correct a name", "Add the second day", "Notes by the field team", "Say who was there", "Number the entries",
          "Remarks of the reviewer", "Add a place", "Check the spelling"]  # fmt: skip
kept, size = [], p["size"]
for number in range(p["commits"]):
    message = topics[number]
    if number in touching:
        put(big, rng.randbytes(size * 1024))
        size += rng.randint(9, 30)
    commit(message, number % 2)
    kept.append([message, names[number % 2], git("rev-parse", f"HEAD:{s['page']}.md")])
print(
    json.dumps(
        {
            "published": published,
            "kept": kept,
            "touched": len(touching),
            "word": ["two", "three", "four"][len(touching) - 2],
        }
    )
)
