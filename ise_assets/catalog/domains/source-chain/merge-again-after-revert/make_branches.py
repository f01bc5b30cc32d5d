"""A topic branch that was merged, reverted and then mended, while main went on."""

import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
a, b, c = p["subject"]["files"]
base, start, made = p["subject"]["base"], datetime(2026, 2, 2, 9, 0, tzinfo=timezone.utc), 0


def git(*arguments, who=0):
    global made
    made += 1
    name, moment = p["people"][who], (start + timedelta(hours=3 * made)).isoformat()
    env = dict(os.environ)
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": name, f"GIT_{role}_DATE": moment}
        env[f"GIT_{role}_EMAIL"] = name.split()[0].lower() + "@example.org"
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env=env).stdout.strip()


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def commit(message, who=0):
    git("add", "-A")
    git("commit", "-q", "-m", message, who=who)


def test(name, call, value):
    put(
        f"tests/test_{name}.py",
        f"import unittest\n\nimport {name}\n\n\nclass Test(unittest.TestCase):\n    def test_it(self):\n"
        f"        self.assertEqual({name}.{call}, {value})\n",
    )


k, start_value = p["factor"], rng.randint(20, 90)
put(".gitignore", "__pycache__/\n")
put("README.md", f"# {p['subject']['repo']}\n\nTests: `python3 -m unittest`\n")
put("tests/__init__.py", "")
put(f"{base}.py", f'"""{base}"""\n\nSTART = {start_value}\n\n\ndef of(n):\n    return START + n\n')
test(base, "of(2)", start_value + 2)
git("init", "-q", "-b", "main")
commit("Begin")
git("checkout", "-q", "-b", p["topic"])
put(f"{a}.py", f'"""{a}"""\n\nFACTOR = {k}\n\n\ndef of(n):\n    return n * FACTOR\n')
test(a, "of(7)", 7 * k)
commit(f"Add {a}", 1)
put(f"{b}.py", f'"""{b}"""\nfrom {a} import of\n\n\ndef twice(n):\n    return 2 * of(n)\n')
test(b, "twice(3)", 6 * k)
commit(f"Add {b}", 1)
put(f"{c}.py", f'"""{c}"""\nimport {b}\n\n\ndef text(n):\n    return "{c}: %d" % ({b}.twice(n) / 3)\n')
test(c, "text(5)", repr(f"{c}: {10 * k}"))
commit(f"Add {c}", 1)
git("checkout", "-q", "main")
put("notes.md", "# Notes\n")
commit("Start notes")
git("merge", "-q", "--no-ff", "--no-edit", p["topic"])
merge = git("rev-parse", "HEAD")
git("revert", "--no-edit", "-m", "1", merge)
revert = git("rev-parse", "--short=7", "HEAD")
for number in range(p["others"]):
    put(f"page{number + 1}.md", f"# Page {number + 1}\n\nSee shelf {rng.randint(1, 60)}.\n")
    commit(f"Write page {number + 1}", number % 2)
git("checkout", "-q", p["topic"])
put(f"{c}.py", f'"""{c}"""\nimport {b}\n\n\ndef text(n):\n    return "{c}: %d" % {b}.twice(n)\n')
commit(f"Mend {c}: no division", 1)
topic = git("rev-parse", "HEAD")
wanted = {name: git("rev-parse", f"{topic}:{name}") for name in git("ls-tree", "-r", "--name-only", topic).splitlines()}
git("checkout", "-q", "main")
head = git("rev-parse", "HEAD")
wanted |= {name: git("rev-parse", f"HEAD:{name}") for name in git("ls-tree", "-r", "--name-only", head).splitlines()}
print(json.dumps({"head": head, "topic": topic, "revert": revert, "wanted": wanted}))
