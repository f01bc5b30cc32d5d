"""No object and no file holds the key; commits and contents are as before, but for REMOVED."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()


everything = subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch"], capture_output=True).stdout
assert truth["key"].encode() not in everything, "the repository still holds the key"
assert subprocess.run(["grep", "-rqF", truth["key"], "."]).returncode == 1, "a file still holds the key"
commits = git("rev-list", "--reverse", "main").split()
assert len(commits) == len(truth["states"]), f"{len(commits)} commits instead of {len(truth['states'])}"
for sha, (head, tree) in zip(commits, truth["states"], strict=True):
    assert git("log", "-1", "--format=%an|%ae|%aI|%s", sha) == head, f"other author, date or message: {head}"
    names = git("ls-tree", "-r", "--name-only", sha).splitlines()
    assert names == list(tree), f"other files in {head}"
    for name in names:
        assert git("show", f"{sha}:{name}") == tree[name], f"{name} in {head} is different"
assert git("rev-parse", f"{p['tag']}^{{commit}}") == commits[truth["at"]], "the tag points elsewhere"
assert git("cat-file", "-t", f"refs/tags/{p['tag']}") == "tag", "the tag is no longer annotated"
assert not git("status", "--porcelain"), "the tree is not clean"
