"""A repository with a release and, after it, the commits of several people with uneven prefixes and some reverts."""

import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
start = datetime(2026, 1, 19, 8, 30, tzinfo=timezone.utc)
made = 0


def git(*arguments, who=None):
    global made
    extra = {}
    if who:
        made += 1
        moment = (start + timedelta(hours=made * 13)).isoformat()
        mail = who.split()[0].lower() + "@" + p["app"] + ".example"
        extra = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", who), ("EMAIL", mail), ("DATE", moment))}
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env={**os.environ, **extra}).stdout.strip()


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


things = ["the invoice list", "the login page", "CSV export", "the search box", "Zürich opening hours", "the calendar", "reminder mails", "the price table", "bulk upload", "the mobile menu", "printing", "the archive"]
kinds = {
    "feat": ["show totals in {}", "sort {} by date", "add a filter to {}", "allow comments in {}"],
    "fix": ["wrong order in {}", "crash on empty {}", "umlauts in {}", "time zone in {}"],
    "chore": ["tidy {}", "rename helpers of {}", "bump the tools for {}"],
    "docs": ["explain {}", "screenshots of {}"],
}
spelling = {
    "feat": ["feat: {}", "Feat: {}", "FEAT : {}", "feat:{}"],
    "fix": ["fix: {}", "Fix: {}", "fix : {}", "FIX: {}"],
    "chore": ["chore: {}", "Chore: {}"],
    "docs": ["docs: {}"],
}
git("init", "-q", "-b", "main")
put("README.md", f"# {p['app']}\n")
git("add", "-A")
git("commit", "-q", "-m", "feat: first version (#1)", who=p["people"][0])
for number in range(rng.randint(2, 5)):
    put("src/base.txt", f"line {number}\n")
    git("add", "-A")
    git("commit", "-q", "-m", f"fix: start-up order {number + 1} (#{number + 2})", who=rng.choice(p["people"]))
git("tag", "-a", p["old_tag"], "-m", f"Release {p['old']}")

pairs = [(kind, text.format(thing)) for kind in kinds for text in kinds[kind] for thing in things]
chosen = rng.sample(pairs, p["commits"])
must = [next(pair for pair in pairs if pair[0] == kind and pair not in chosen) for kind in ("feat", "fix", "feat", "fix")]
chosen[1], chosen[2] = must[0], must[1]
chosen = list(dict.fromkeys(chosen))
ticket, history = rng.randint(40, 300), []
reverted = set(rng.sample(range(3, len(chosen)), p["reverts"]))
weights = [3, 2, 1]
counts = {}
for number, (kind, text) in enumerate(chosen):
    ticket += rng.randint(1, 6)
    who = p["people"][0] if number < 2 else rng.choices(p["people"], weights)[0]
    put(f"src/part{number:02d}.txt", f"{kind} {text}\n")
    git("add", "-A")
    git("commit", "-q", "-m", f"{rng.choice(spelling[kind]).format(text)} (#{ticket})", who=who)
    counts[who] = counts.get(who, 0) + 1
    history.append((kind, text, ticket, git("rev-parse", "HEAD"), number in reverted))
for kind, text, number, sha, gone in history:
    if gone:
        who = rng.choice(p["people"])
        git("revert", "--no-edit", sha, who=who)
        counts[who] = counts.get(who, 0) + 1
# one more by whoever leads, so that nobody ties
leader = max(p["people"], key=lambda name: counts.get(name, 0))
put("src/last.txt", "last\n")
git("add", "-A")
git("commit", "-q", "-m", "chore: clean up before the release", who=leader)
counts[leader] += 1


def section(kind):
    return "".join(f"- {text} (#{number})\n" for k, text, number, _, gone in history if k == kind and not gone)


notes = f"# {p['new']}\n\n## Added\n\n{section('feat')}\n## Fixed\n\n{section('fix')}"
print(json.dumps({"notes": notes, "leader": leader, "commits": counts[leader], "head": git("rev-parse", "HEAD"), "fixes": section("fix").count("\n"), "features": section("feat").count("\n")}))
