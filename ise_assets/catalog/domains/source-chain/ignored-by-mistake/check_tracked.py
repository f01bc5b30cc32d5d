"""main holds all that was missing; new files of the same kinds are not ignored; what is generated is."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
s = p["subject"]


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True)


names = git("ls-tree", "-r", "--name-only", "main").stdout.splitlines()
lacking = [name for name in truth["wanted"] if name not in names and name != "docs/.gitignore"]
extra = [name for name in names if name not in truth["wanted"]]
assert not lacking, f"not committed: {lacking[:4]}"
assert not extra, f"should not be tracked: {extra[:4]}"
for name in (f"{s['wide']}/next.md", f"{s['twin']}/lists/next.txt", f"docs/{s['csv']}-next.csv"):
    assert git("check-ignore", "--no-index", "-q", name).returncode == 1, f"{name} would still be ignored"
for name in ("build/next.html", "lists/next.txt", "x.tmp", p["junk"]):
    assert git("check-ignore", "--no-index", "-q", name).returncode == 0, f"{name} is not ignored"
assert not git("status", "--porcelain").stdout, "there are uncommitted changes"
