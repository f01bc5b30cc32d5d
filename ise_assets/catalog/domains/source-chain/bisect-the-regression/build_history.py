"""Makes a real repository: a module with tests, many harmless commits, and one that broke it; prints the culprit."""

import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
people = [(name, name.split()[0].lower() + "@" + p["company"] + ".example") for name in p["people"]]
start = datetime(2026, 1, 12, 9, 0, tzinfo=timezone.utc)
made = 0


def git(*arguments, env=None):
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env={**os.environ, **(env or {})})
    return done.stdout.strip()


def commit(message, person):
    global made
    moment = (start + timedelta(hours=made * 17)).isoformat()
    made += 1
    name, mail = person
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", name), ("EMAIL", mail), ("DATE", moment))}
    git("add", "-A")
    git("commit", "-q", "-m", message, env=who)


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


low, middle, high = rng.randint(40, 90), rng.randint(120, 400), rng.randint(600, 1900)
rates = sorted(rng.sample(range(3, 60), 4), reverse=True)
good = {
    "bound": "        if amount >= bound:",
    "rounding": "    return (amount * rate(amount) + 50) // 100",
    "shares": "    return [share + (1 if number < rest else 0) for number in range(parts)]",
}
bad = {
    "bound": "        if amount > bound:",
    "rounding": "    return (amount * rate(amount)) // 100",
    "shares": "    return [share + (1 if number <= rest else 0) for number in range(parts)]",
}
harmless_looking = {
    "bound": ["Simplify the loop over the steps", "Review remarks from Tuesday"],
    "rounding": ["Drop a magic number", "Tidy up the arithmetic"],
    "shares": ["Use a comprehension for the shares", "Cosmetics"],
}
extra = []


def module(lines):
    return f'''"""Rules of the {p["module"]}."""

STEPS = ((0, {rates[0]}), ({low}, {rates[1]}), ({middle}, {rates[2]}), ({high}, {rates[3]}))


def rate(amount):
    """The rate of the highest step that `amount` reaches; a step begins at its bound."""
    found = STEPS[0][1]
    for bound, percent in STEPS:
{lines["bound"]}
            found = percent
    return found


def charge(amount):
    """`amount` times its rate in percent, rounded half up."""
{lines["rounding"]}


def shares(total, parts):
    """`total` in whole shares that add up to it; the first ones take the rest."""
    share, rest = divmod(total, parts)
{lines["shares"]}


def is_whole(amount):
    """Whether nothing of `amount` is left over."""
    return amount == int(amount)
''' + "".join(f'\n\ndef {name}(amount):\n    """{text}"""\n    return {body}\n' for name, text, body in extra)


def half():
    """An amount whose charge ends in a half, so that rounding shows."""
    return next(amount for amount in range(1, 5000) if (amount * [r for b, r in zip((0, low, middle, high), rates) if amount >= b][-1]) % 100 >= 50)


tie = half()
tie_rate = [r for b, r in zip((0, low, middle, high), rates) if tie >= b][-1]
total, parts = rng.randint(3, 20) * 7 + rng.randint(1, 5), 7
put("tests/__init__.py", "")
put(
    f"tests/test_{p['module']}.py",
    f'''import unittest

import {p["module"]} as rules


class Rules(unittest.TestCase):
    def test_rate_between_the_steps(self):
        self.assertEqual(rules.rate({low + 3}), {rates[1]})

    def test_rate_on_a_bound(self):
        self.assertEqual(rules.rate({middle}), {rates[2]})

    def test_charge_rounds_half_up(self):
        self.assertEqual(rules.charge({tie}), {(tie * tie_rate + 50) // 100})

    def test_shares_add_up(self):
        self.assertEqual(sum(rules.shares({total}, {parts})), {total})


if __name__ == "__main__":
    unittest.main()
''',
)
git("init", "-q", "-b", "main")
put(".gitignore", "__pycache__/\n")
put(f"{p['module']}.py", module(good))
put("NOTES.md", f"# Notes on the {p['module']} rules\n\n- steps as agreed in January\n")
commit(f"{p['module'].capitalize()} rules with tests", people[0])
put("README.md", f"# {p['module']}\n\nRun the tests with `python3 -m unittest`.\n")
commit("Add a readme", people[1])
git("tag", p["tag"])
state, topics = dict(good), ["yearly", "weekly", "refund", "deposit", "minimum", "extra", "late", "early", "net", "gross"]
words = ["bank holidays", "the new office", "partial months", "the audit", "paper forms", "leap years", "two signatures"]
culprit = ""
for number in range(1, p["commits"] + 1):
    person = rng.choice(people)
    if number == p["culprit"]:
        state[p["bug"]] = bad[p["bug"]]
        put(f"{p['module']}.py", module(state))
        person = people[p["who"]]
        commit(rng.choice(harmless_looking[p["bug"]]), person)
        culprit = git("rev-parse", "HEAD")
    elif number % 4 == 0 and len(extra) < len(topics):
        name = topics[len(extra)]
        extra.append((name, f"The {name} amount.", f"amount * {rng.randint(2, 30)} // {rng.randint(3, 12)}"))
        put(f"{p['module']}.py", module(state))
        commit(f"Add {name}()", person)
    else:
        word, path = rng.choice(words), rng.choice(["README.md", "docs/questions.md", "docs/decisions.md"])
        old = open(path, encoding="utf-8").read() if os.path.exists(path) else "# " + path[5:-3].capitalize() + "\n"
        put(path, old + f"\n{number}. On {word}: see page {rng.randint(2, 90)} of the handbook.\n")
        commit(rng.choice(["Write about {}", "Add a remark on {}", "Explain {}"]).format(word), person)
print(json.dumps({"sha": culprit, "short": culprit[:7], "author": people[p["who"]][0], "head": git("rev-parse", "HEAD")}))
