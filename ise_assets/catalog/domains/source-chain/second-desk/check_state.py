"""main has one more commit with the right price in every file; the draft has moved nowhere; no second worktree is left."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()


assert git("rev-parse", p["draft"]) == truth["draft"], "the draft branch has moved"
assert git("rev-list", f"{truth['main']}..main").count("\n") == 0, "more than one new commit on main"
assert git("rev-parse", "main~1") == truth["main"], "main has no new commit on top of the old one"
names = git("ls-tree", "-r", "--name-only", "main").splitlines()
assert names == sorted(truth["tree"]), f"other files on main: {names}"
for name, text in truth["tree"].items():
    assert git("show", f"main:{name}") == text.strip(), f"{name} on main is wrong: {git('show', f'main:{name}')[:120]}"
left = [part for part in git("worktree", "list", "--porcelain").split("\n\n") if "\nprunable" not in part]
assert len(left) == 1, "a worktree is left"
assert not git("stash", "list"), "something is stashed"
