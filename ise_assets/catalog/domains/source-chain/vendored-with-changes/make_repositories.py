"""A library with tags, and an application with a copy of an older version in which one line was changed."""

import json
import os
import random
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
lib, (a, b, c) = p["lib"], p["subject"]["parts"]
up, app = f"upstream/{lib}", "app"


def git(where, *arguments):
    return subprocess.run(["git", "-C", where, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


factor, limit, default = p["factor"], p["limit"], rng.randint(10, 35)


def library(step):
    """The library after so many steps: a new function each, one module renamed in the first."""
    put(f"{up}/{a}.py", f'"""{a}"""\n\nVERSION = {step}\n\n\ndef {a}(n):\n    return n * {factor} + {step}\n')
    more = "".join(f"\n\ndef step{n}(n):\n    return {b}(n) + {n}\n" for n in range(1, step + 1))
    body = f"def {b}(n):\n    return min(n * {factor}, LIMIT)\n"
    put(
        f"{up}/{b}.py",
        f'"""{b}, release {step}"""\n\n# the highest value that is told\nLIMIT = {default}\n\n\n{body}{more}',
    )
    put(f"{up}/{c if step else 'old_' + c}.py", f'"""{c}"""\n\n\ndef {c}(n):\n    return n - {step}\n')
    if step and os.path.exists(f"{up}/old_{c}.py"):
        os.remove(f"{up}/old_{c}.py")
    put(f"{up}/tests/test_{a}.py", f"# tests of the library, release {step}\n")
    put(f"{up}/README.md", f"# {lib}\n\nRelease {step}.\n")


put(f"{up}/README.md", "")
git(up, "init", "-q", "-b", "main")
for step in range(p["steps"] + 2):
    library(step)
    git(up, "add", "-A")
    git(up, "commit", "-q", "-m", f"Work for release {step}")
    if step <= p["steps"]:
        git(up, "tag", "-a", f"v{p['major']}.{p['from'] + step}", "-m", f"Release {step}")


def tree(tag):
    names = git(up, "ls-tree", "-r", "--name-only", tag).splitlines()
    show = ["git", "-C", up, "show"]
    texts = {n: subprocess.run([*show, f"{tag}:{n}"], capture_output=True, text=True).stdout for n in names}
    return {name: text for name, text in texts.items() if not name.startswith("tests/")}


for name, text in tree(p["old"]).items():
    put(f"{app}/vendor/{lib}/{name}", text)
old = git(up, "rev-parse", f"{p['old']}^{{commit}}")
put(f"{app}/vendor/VENDORED.md", f"# Copied libraries: name, tag, commit\n\n{lib} {p['old']} {old}\n")
put(f"{app}/tests/__init__.py", "")
put(
    f"{app}/tests/test_app.py",
    f'''import importlib.util
import unittest


def load(name):
    spec = importlib.util.spec_from_file_location(name, "vendor/{lib}/%s.py" % name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class App(unittest.TestCase):
    def test_high_values(self):
        self.assertEqual(load("{b}").{b}(1000), {limit})

    def test_{a}(self):
        self.assertGreaterEqual(load("{a}").{a}(2), {2 * factor})
''',
)
put(f"{app}/README.md", f"# {p['subject']['app']}\n\nTells {p['subject']['what']}.\n")
git(app, "init", "-q", "-b", "main")
git(app, "add", "-A")
git(app, "commit", "-q", "-m", f"Begin, with {lib} {p['old']}")
path = f"{app}/vendor/{lib}/{b}.py"
text = open(path, encoding="utf-8").read()
put(path, text.replace(f"LIMIT = {default}", f"LIMIT = {limit}"))
git(app, "commit", "-q", "-am", "Higher values for us")
put(f"{app}/README.md", f"# {p['subject']['app']}\n\nTells {p['subject']['what']}, also on paper.\n")
git(app, "commit", "-q", "-am", "Readme")
wanted = tree(p["new"])
wanted[f"{b}.py"] = wanted[f"{b}.py"].replace(f"LIMIT = {default}", f"LIMIT = {limit}")
new = git(up, "rev-parse", f"{p['new']}^{{commit}}")
print(
    json.dumps(
        {"upstream": git(up, "rev-parse", "main"), "head": git(app, "rev-parse", "HEAD"), "new": new, "wanted": wanted}
    )
)
