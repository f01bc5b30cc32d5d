"""A repository never pushed, whose settings and docs held a key for a while; an amended commit holds it, too."""

import json
import os
import random
import string
import subprocess
from datetime import datetime, timedelta, timezone

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s, made, start = p["subject"], 0, datetime(2026, 1, 20, 10, 0, tzinfo=timezone.utc)
key = "".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(24, 32)))


def git(*arguments, who=0):
    global made
    made += 1
    name, moment = p["people"][who], (start + timedelta(hours=11 * made)).isoformat()
    env = dict(os.environ)
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": name, f"GIT_{role}_DATE": moment}
        env[f"GIT_{role}_EMAIL"] = name.split()[0].lower() + "@example.net"
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=env).stdout.strip()


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


remarks = []


def commit(number, message):
    value = key if p["enters"] <= number < p["leaves"] else "from environment"
    put(s["file"], f"[service]\nname = {s['service']}\n{s['word']} = {value}\nretries = {number % 4 + 2}\n")
    example = key if p["enters"] + 1 <= number < p["leaves"] + 1 else "YOUR KEY"
    if number >= p["enters"] + 1:
        put("docs/setup.md", f"# Setup\n\nPut a line like `{s['word']} = {example}` into {s['file']}.\n")
    remarks.append(f"- {message}, page {rng.randint(2, 80)}\n")
    put("notes.txt", "".join(remarks))
    git("add", "-A")
    git("commit", "-q", "-m", message, who=number % 3)


messages = ["Begin", "Read the settings", "Retry when refused", "Explain the setup", "Keep a log", "Shorter names",
            "Round the figures", "Say what failed", "Work without a screen", "Less noise", "Umlauts in names", "Tidy up"]  # fmt: skip
put("README.md", f"# {s['repo']}\n\nTalks to the {s['service']} service.\n")
git("init", "-q", "-b", "main")
for number in range(p["commits"]):
    commit(number, messages[number])
    if number == p["enters"] + 1:
        git("tag", "-a", p["tag"], "-m", "First trial")
put("draft.txt", f"the key for the demo: {key}\n")
git("add", "-A")
git("commit", "-q", "-m", "Demo notes")
put("draft.txt", "the demo is on Friday\n")
git("add", "-A")
git("commit", "-q", "--amend", "-m", "Demo notes")


def states():
    found = []
    for sha in git("rev-list", "--reverse", "main").split():
        tree = {}
        for name in git("ls-tree", "-r", "--name-only", sha).splitlines():
            text = git("show", f"{sha}:{name}")
            tree[name] = text.replace(key, "REMOVED").strip()
        found.append([git("log", "-1", "--format=%an|%ae|%aI|%s", sha), tree])
    return found


held = sum(
    bool(subprocess.run(["git", "grep", "-qF", key, sha]).returncode == 0) for sha in git("rev-list", "main").split()
)
print(json.dumps({"key": key, "held": held, "states": states(), "at": p["enters"] + 1}))
