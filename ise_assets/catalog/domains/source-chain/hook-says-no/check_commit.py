"""One new commit on main holds the right list and nothing else."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


path = p["subject"]["file"]
assert git("rev-parse", "main").strip() != truth["head"], "there is no new commit"
assert git("diff", "--name-only", truth["head"], "main").split() == [path], "other files were committed"
got = subprocess.run(["git", "show", f"main:{path}"], check=True, capture_output=True).stdout.decode()
assert got == truth["wanted"], f"the list is wrong:\n{got[:300]}"
assert open(path, encoding="utf-8", newline="").read() == got, "the file differs from what is committed"
