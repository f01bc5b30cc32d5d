"""Builds a tree with file modes of all kinds, the policy for them and one agreed exception; prints the truths."""

import hashlib
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
policy = {".key": "600", ".sh": p["script_mode"], ".conf": p["conf_mode"], "": "644"}
loose = {".key": ["644", "640", "604"], ".sh": ["777", "644", "775"], ".conf": ["666", "664", "646"], "": ["666", "777", "664"]}
stems = ["menu", "orders", "gate", "Übersicht", "price list", "contacts", "Grüße", "access log", "rota", "intake", "front page", "labels"]
folders = ["bin", "etc", "keys", "public files", "public files/2024"]
files = []
for number in range(p["files"]):
    suffix = rng.choice([".key", ".sh", ".conf", ".txt", ".html"])
    folder = {".key": "keys", ".sh": "bin", ".conf": "etc"}.get(suffix) or rng.choice(folders[3:])
    files.append((f"{folder}/{rng.choice(stems)} {number}{suffix}" if rng.random() < 0.3 else f"{folder}/{rng.choice(stems)}-{number}{suffix}", suffix))
files += [("bin/nightly run.sh", ".sh"), ("keys/gate.key", ".key"), ("public files/Öffnungszeiten.html", ".html")]
bad, total = 0, hashlib.sha256()
always = {"bin/nightly run.sh", "keys/gate.key", "public files/Öffnungszeiten.html"}
tree = p["tree"]
for folder in folders:
    os.makedirs(f"{tree}/{folder}", exist_ok=True)
for name, suffix in sorted(files):
    right = policy.get(suffix, policy[""])
    wrong = name in always or rng.random() < 0.3
    mode = rng.choice(loose.get(suffix, loose[""])) if wrong else right
    bad += mode != right
    with open(f"{tree}/{name}", "w", encoding="utf-8") as handle:
        handle.write("".join(rng.choice("abcdefgh \n") for _ in range(80)) + "\n")
    os.chmod(f"{tree}/{name}", int(mode, 8))
with open(f"{tree}/public files/{p['exception']}", "w", encoding="utf-8") as handle:
    handle.write("everybody may write here\n")
os.chmod(f"{tree}/public files/{p['exception']}", 0o666)
with open("POLICY.md", "w", encoding="utf-8") as handle:
    handle.write(
        f"# Modes of files below {tree}/\n\n| files | mode |\n|---|---|\n| *.key | 600 |\n| *.sh | {p['script_mode']} |\n"
        f"| *.conf | {p['conf_mode']} |\n| all others | 644 |\n\nDirectories are not covered.\n\n## Exceptions\n\n"
        f"- `public files/{p['exception']}` stays 666, agreed with the {p['owner']} on {p['agreed']}; it is no finding.\n"
    )
os.chmod("POLICY.md", 0o644)
for name in sorted(name for name, _ in files):
    with open(f"{tree}/{name}", "rb") as handle:
        total.update(name.encode() + handle.read())
print(json.dumps({"bad": bad, "contents": total.hexdigest(), "modes": {n: policy.get(s, "644") for n, s in files}}))
