"""main holds every file of the branch and of what it was before, and the branch is an ancestor."""

import json
import os
import subprocess

truth = json.loads(os.environ["TRUTH"])


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True)


tree = [line.split(None, 3) for line in git("ls-tree", "-r", "main").stdout.splitlines()]
got = {name: sha for _, _, sha, name in tree}
wrong = [name for name in truth["wanted"] if got.get(name) != truth["wanted"][name]]
wrong += [name for name in got if name not in truth["wanted"]]
assert not wrong, f"missing or different on main: {wrong[:5]}"
assert git("merge-base", "--is-ancestor", truth["topic"], "main").returncode == 0, "the branch is not merged"
assert not git("status", "--porcelain").stdout, "there are uncommitted changes"
