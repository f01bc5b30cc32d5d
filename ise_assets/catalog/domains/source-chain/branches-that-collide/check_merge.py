"""HEAD of main is a merge of both tips, the tree is clean, and the settings are those of both sides."""

import json
import os
import subprocess

truth = json.loads(os.environ["TRUTH"])


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


parents = git("log", "-1", "--format=%P", "main").split()
assert sorted(parents) == sorted([truth["ours"], truth["theirs"]]), f"the parents of main are {parents}"
assert git("symbolic-ref", "--short", "HEAD") == "main", "main is not checked out"
assert git("status", "--porcelain") == "", "the tree is not clean"
got = json.loads(git("show", "main:settings.json"))
want = json.loads(truth["expected"])
wrong = sorted(k for k in {*got, *want} if got.get(k) != want.get(k))
assert not wrong, f"wrong or missing: {', '.join(wrong)}"
