"""Sourced in a clean shell: the newest tool, the other command of before, each folder once and none that is not there."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def run(command):
    ran = subprocess.run(
        ["bash", "-c", f'. "{p["root"]}/env.sh"; {command}'],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": p["home"]},
    )
    return ran.stdout.strip()


assert run(f"{p['tool']} --version") == f"{p['tool']} {truth['new']}", run(f"{p['tool']} --version")
assert run(f"{p['other']} --version") == f"{p['other']} {truth['keep']}", run(f"{p['other']} --version")
path = [folder for folder in run("echo $PATH").split(":") if folder]
dead = [folder for folder in path if not os.path.isdir(folder)]
assert not dead, f"dead folders in the path: {dead}"
mine = [os.path.realpath(folder) for folder in path if folder.startswith(p["root"])]
assert sorted(mine) == sorted(map(os.path.realpath, truth["folders"])), f"folders: {mine}"
assert run("echo $EDITOR") == "vi", "other settings of the file were lost"
assert "/usr/bin" in path, "the system's folders were lost"
print(len(path), "folders")
