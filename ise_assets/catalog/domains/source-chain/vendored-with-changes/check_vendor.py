"""The committed copy is the new version with the local change, and the record names tag and commit."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
prefix = f"vendor/{p['lib']}/"


def git(*arguments):
    return subprocess.run(["git", "-C", "app", *arguments], capture_output=True, text=True).stdout


names = git("ls-tree", "-r", "--name-only", "main").splitlines()
got = {name[len(prefix) :]: git("show", f"main:{name}") for name in names if name.startswith(prefix)}
wrong = [
    name for name in {**got, **truth["wanted"]} if got.get(name, "").strip() != truth["wanted"].get(name, "").strip()
]
assert not wrong, f"not as they should be: {sorted(wrong)[:4]}"
assert set(got) == set(truth["wanted"]), f"other files: {sorted(set(got) ^ set(truth['wanted']))[:4]}"
lines = [line.split() for line in git("show", "main:vendor/VENDORED.md").splitlines() if line.startswith(p["lib"])]
assert lines == [[p["lib"], p["new"], truth["new"]]], f"the record says {lines}"
assert ".gitmodules" not in names, "it has become a submodule"
assert subprocess.run(["git", "-C", "app", "merge-base", "--is-ancestor", truth["head"], "main"]).returncode == 0, (
    "history was rewritten"
)
assert not git("status", "--porcelain"), "there are uncommitted changes"
