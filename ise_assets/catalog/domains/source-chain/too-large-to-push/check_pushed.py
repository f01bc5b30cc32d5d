"""All commits are in the shared repository, with messages, authors and pages as they were, and without the large file."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
file = f"{p['subject']['dir']}/{p['subject']['big']}"


def git(*arguments, where="shared.git"):
    return subprocess.run(["git", "-C", where, *arguments], capture_output=True, text=True).stdout.strip()


names = git("log", "--name-only", "--format=", "main").split("\n")
assert file not in names, f"{file} is still in the history"
found = []
for line in git("log", "--reverse", "--format=%H%x09%s%x09%an", f"{truth['published']}..main").splitlines():
    sha, message, author = line.split("\t")
    found.append([message, author, git("rev-parse", f"{sha}:{p['subject']['page']}.md")])
for entry in truth["kept"]:
    assert entry in found, f"missing or changed: {entry[:2]}"
assert [entry for entry in found if entry in truth["kept"]] == truth["kept"], "the order has changed"
assert len(found) <= len(truth["kept"]) + 1, "there are more commits than before"
assert git("rev-parse", "main") == git("rev-parse", "main", where="work"), "main here and there differ"
status = subprocess.run(["git", "-C", "work", "status", "--porcelain"], capture_output=True, text=True).stdout
assert not status, f"the tree is not clean: {status}"
