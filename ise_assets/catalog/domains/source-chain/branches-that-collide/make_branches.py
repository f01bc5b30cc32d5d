"""Makes a repository with two branches that changed the same lines of a JSON file; prints what the merge should give."""

import json
import os
import random
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
key, topic = p["contested"], p["topic"]


def git(*arguments, who=None):
    extra = {}
    if who:
        mail = who.split()[0].lower() + "@" + p["company"] + ".example"
        extra = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", who), ("EMAIL", mail))}
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, env={**os.environ, **extra}).stdout.strip()


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def settings(pairs):
    put("settings.json", json.dumps(dict(pairs), indent=2, ensure_ascii=False) + "\n")


a, b, c = rng.sample(range(5, 240), 3)
values = {"base": a, "main": b, topic: c}
head = [("name", p["company"].capitalize() + " Süd"), ("currency", rng.choice(["EUR", "CHF", "SEK", "PLN"])), ("seats", rng.randint(10, 90))]
tail = [("language", "de"), ("backup", True), ("retries", rng.randint(2, 9)), ("printer", f"room {rng.randint(1, 40)}"), ("port", rng.randint(3000, 9000))]
new = rng.sample([("reminder_hours", rng.randint(2, 48)), ("deposit_percent", rng.randint(5, 40)), ("max_guests", rng.randint(4, 30)), ("grace_minutes", rng.randint(1, 25)), ("waiting_list", True), ("late_fee_cents", rng.randint(100, 2500))], 4)
base = [*head, (key, values["base"]), *tail]
ours_new, theirs_new = new[:2], new[2:]
ours_tail = [(k, v + 1 if k == "retries" else v) for k, v in tail]
theirs_head = [(k, v + 5 if k == "seats" else v) for k, v in head]

git("init", "-q", "-b", "main")
put(".gitignore", "__pycache__/\n")
put("README.md", f"# Settings of {p['company']}\n\nCheck them with `python3 -m unittest`.\n")
put("tests/__init__.py", "")
put(
    "tests/test_settings.py",
    f'''import json
import unittest


class Settings(unittest.TestCase):
    def test_settings_can_be_read(self):
        with open("settings.json", encoding="utf-8") as handle:
            pairs = json.load(handle, object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        self.assertEqual(sorted(set(keys)), sorted(keys), "a key occurs twice")
        self.assertIsInstance(dict(pairs)["{key}"], int)


if __name__ == "__main__":
    unittest.main()
''',
)
settings(base)
git("add", "-A")
git("commit", "-q", "-m", "First settings", who=p["people"][0])
git("checkout", "-q", "-b", topic)
settings([*theirs_head, (key, values[topic]), *theirs_new, *tail])
git("commit", "-q", "-a", "-m", f"Settings for {topic}", who=p["people"][1])
put("docs/" + topic.replace("/", "-") + ".md", f"# {topic}\n\nAgreed with the front desk.\n")
git("add", "-A")
git("commit", "-q", "-m", f"Describe {topic}", who=p["people"][1])
git("checkout", "-q", "main")
settings([*head, (key, values["main"]), *ours_new, *ours_tail])
git("commit", "-q", "-a", "-m", f"New {key.replace('_', ' ')} after the trial week", who=p["people"][0])
winner = "main" if p["winner"] == "main" else topic
expected = {**dict(theirs_head), key: values[winner], **dict(ours_new), **dict(theirs_new), **dict(ours_tail)}
print(json.dumps({"expected": json.dumps(expected, sort_keys=True), "value": values[winner], "ours": git("rev-parse", "main"), "theirs": git("rev-parse", topic)}))
