"""One line of commits after the release: the fix, its test, version and changelog, and no feature of main."""

import json
import os
import re
import subprocess
import tempfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
s, line = p["subject"], f"release/{p['major']}.{p['minor']}"
version = f"{p['major']}.{p['minor']}.1"


def run(*command, where="."):
    return subprocess.run(command, cwd=where, capture_output=True, text=True)


assert run("git", "merge-base", "--is-ancestor", truth["released"], line).returncode == 0, "the line was rewritten"
changed = set(run("git", "diff", "--name-only", truth["released"], line).stdout.split())
allowed = {f"{s['module']}.py", "tests/test_rest.py", f"tests/test_{s['module']}.py", "CHANGELOG.md", "VERSION"}
assert changed, "nothing new on the release line"
assert changed <= allowed, f"should not have changed there: {sorted(changed - allowed)[:4]}"
log = run("git", "log", "--format=%B", f"{truth['released']}..{line}").stdout
assert f"cherry picked from commit {truth['fix']}" in log, "no reference to the original commit"
assert run("git", "show", f"{line}:VERSION").stdout.strip() == version, "VERSION is wrong"
parts = re.split(r"^## ", run("git", "show", f"{line}:CHANGELOG.md").stdout, flags=re.M)[1:]
assert [part.split("\n")[0].strip() for part in parts] == [version, version[:-1] + "0"], "the sections are wrong"
assert re.search(r"^[-*] \S", parts[0], re.M), "the new section says nothing"
assert not re.search("<<<<|new: ", parts[0]), "the new section holds what is not in this release"
with tempfile.TemporaryDirectory() as place:
    with open(f"{place}/tree.tar", "wb") as handle:
        subprocess.run(["git", "archive", line], stdout=handle, check=True)
    subprocess.run(["python3", "-c", "import tarfile; tarfile.open('tree.tar').extractall('.')"], cwd=place, check=True)
    call = f"from {s['module']} import {s['func']} as f; print(f({truth['value']}), f({6 * p['per']}))"
    got = run("python3", "-B", "-c", call, where=place).stdout.strip()
    assert got == "5 6", f"{s['func']} gives {got}"
    done = run("python3", "-B", "-m", "unittest", "-q", where=place)
    assert done.returncode == 0 and "Ran 4" in done.stderr, f"tests on the line: {done.stderr[-200:]}"
