"""A release branch and a main that moved the module, got features, and mended one fault."""

import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s, k, made = p["subject"], p["per"], 0
module, func, start = s["module"], s["func"], datetime(2026, 1, 13, 9, 0, tzinfo=timezone.utc)
old, line = f"{p['major']}.{p['minor']}.0", f"release/{p['major']}.{p['minor']}"


def git(*arguments, who=0):
    global made
    made += 1
    name, moment = p["people"][who], (start + timedelta(hours=7 * made)).isoformat()
    env = dict(os.environ)
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": name, f"GIT_{role}_DATE": moment}
        env[f"GIT_{role}_EMAIL"] = name.split()[0].lower() + "@example.net"
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=env).stdout.strip()


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def commit(message, who=0):
    git("add", "-A")
    git("commit", "-q", "-m", message, who=who)


changes = []


def changelog(head):
    body = "".join(f"- {text}\n" for text in changes)
    return (
        f"# Changes\n\n{head}{body}\n## {old}\n\n- first release of this line\n"
        if head
        else f"# Changes\n\n## {old}\n\n- first release of this line\n"
    )


code = f'''"""Counting for {s["repo"]}."""

PER = {k}


def full(n):
    """How many full ones `n` makes."""
    return n // PER


def {func}(n):
    """How many are needed for `n`, a rest counting as one."""
    return n // PER


def left(n):
    """What is left over of `n`."""
    return n % PER
'''
test = f"""import unittest

from {{}}{module} import full, left


class Counting(unittest.TestCase):
    def test_full(self):
        self.assertEqual(full({3 * k + 1}), 3)

    def test_left(self):
        self.assertEqual(left({2 * k + 2}), 2)
"""
put(".gitignore", "__pycache__/\n")
put(f"{module}.py", code)
put(f"tests/test_{module}.py", test.format(""))
put("tests/__init__.py", "")
put("VERSION", old + "\n")
put("CHANGELOG.md", changelog(""))
git("init", "-q", "-b", "main")
commit(f"{s['repo'].capitalize()} {old}")
git("branch", line)
os.makedirs("lib")
git("mv", f"{module}.py", f"lib/{module}.py")
put("lib/__init__.py", "")
put(f"tests/test_{module}.py", test.format("lib."))
put("VERSION", f"{p['major']}.{p['minor'] + 1}.0.dev\n")
commit("Move the module into lib", 1)
names = [s["feature"], s["extra"], "export", "colours", "units", "summary", "history", "themes", "sharing"]


def feature(number):
    name = names[number]
    put(f"lib/{name}.py", f'"""{name}"""\n\nLIMIT = {rng.randint(3, 90)}\n')
    changes.append(f"new: {name}")
    put("CHANGELOG.md", changelog("## Unreleased\n\n"))
    commit(f"Add {name}", number % 2)


for number in range(p["before"]):
    feature(number)
code = code.replace('one."""\n    return n // PER', 'one."""\n    return -(-n // PER)')
put(f"lib/{module}.py", code)
value = 4 * k + rng.randint(1, k - 1)
put("tests/test_rest.py", f'''import unittest

try:
    from lib.{module} import {func}
except ImportError:
    from {module} import {func}


class Rest(unittest.TestCase):
    def test_a_rest_counts(self):
        self.assertEqual({func}({value}), 5)

    def test_no_rest(self):
        self.assertEqual({func}({6 * k}), 6)
''')  # fmt: skip
changes.append(f"{func}() counts the rest")
put("CHANGELOG.md", changelog("## Unreleased\n\n"))
commit(rng.choice(["Let a rest count", "Round up when there is a rest", "No more one short"]), 1)
fix = git("rev-parse", "HEAD")
for number in range(p["before"], p["before"] + p["after"]):
    feature(number)
main, released = git("rev-parse", "main"), git("rev-parse", line)
print(
    json.dumps(
        {
            "main": main,
            "short": fix[:7],
            "fix": fix,
            "released": released,
            "value": value,
            "ahead": int(git("rev-list", "--count", f"{line}..main")),
        }
    )
)
