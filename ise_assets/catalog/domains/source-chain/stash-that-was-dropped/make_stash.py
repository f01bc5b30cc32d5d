"""A repository whose new section was stashed and dropped, with an older draft of it and other lost commits beside it."""

import json
import os
import random
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
subject, hours = p["subject"], 0


def git(*arguments):
    global hours
    hours += 5
    moment = f"2026-02-{3 + hours // 24:02d}T{hours % 24:02d}:15:00+00:00"
    env = {**os.environ, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=env).stdout.strip()


def put(path, text):
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def drop():
    git("stash", "push", "-q")
    sha = git("rev-parse", "--short=7", "stash")
    git("stash", "drop", "-q")
    return sha


kinds = ["short version", "long version", "as last year", "new", "to be checked", "with a picture"]
pairs = rng.sample([(item, kind) for item in subject["words"] for kind in kinds], p["entries"] + 9)
lines = [f"- {item}, {kind}: {rng.randint(2, 98)}\n" for item, kind in pairs]
mine, first, entries = lines[0], lines[1:9], lines[9:]


def text(first, section):
    part = f"## {subject['heading']}\n\n{''.join(section)}\n" if section else ""
    return f"# {subject['repo']}\n\n## {subject['first']}\n\n{''.join(first)}\n{part}## Remarks\n\nNumbers are provisional.\n"


git("init", "-q", "-b", "main")
put(subject["file"], text(first, []))
put("README.md", "# " + subject["repo"] + "\n")
git("add", "-A")
git("commit", "-q", "-m", "Begin")
put(subject["file"], text(first, entries[2:4]))
drop()
put("README.md", "# " + subject["repo"] + "\n\nSee also the other file.\n")
drop()
put("README.md", "# " + subject["repo"] + "\n\nDraft, not for print.\n")
git("commit", "-q", "-am", "Say that it is a draft")
put(subject["file"], text(first, entries))
sha = drop()
put("README.md", "# " + subject["repo"] + "\n\nDraft, not for prnt yet.\n")
git("commit", "-q", "-am", "Wording")
put("README.md", "# " + subject["repo"] + "\n\nDraft, not for print yet.\n")
git("commit", "-q", "-a", "--amend", "-m", "Wording")
put(subject["file"], text([first[0], mine, *first[1:]], []))
wanted = text([first[0], mine, *first[1:]], entries)
print(json.dumps({"short": sha, "head": git("rev-parse", "HEAD"), "wanted": wanted}))
