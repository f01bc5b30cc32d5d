"""Writes the rules of an automatic answer in the wrong order, and the program that tells what a sender gets."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
old = rng.choice(
    ["I am in and will answer today.", "Thank you, we answer within two days.", "Danke für Ihre Nachricht!"]
)
with open("away.ini", "w", encoding="utf-8") as out:
    out.write(
        f"; automatic answers of the {p['office']}\n; the first section that matches the sender answers; an empty answer is silence\n"
        f"[default]\nmatch = *\nanswer = {old}\n\n"
        "[lists]\nmatch = *@lists.example *-request@* owner-*\nanswer =\n\n"
        "[robots]\nmatch = noreply@* no-reply@* mailer-daemon@* postmaster@*\nanswer =\n"
    )
with open("say.py", "w", encoding="utf-8") as out:
    out.write('''"""Tells what each sender would be answered by away.ini beside this file."""

import configparser
import fnmatch
import pathlib
import sys

if len(sys.argv) < 2:
    sys.exit(print("usage: say.py SENDER ...", file=sys.stderr) or 2)
rules = configparser.ConfigParser(interpolation=None)
rules.read(pathlib.Path(__file__).resolve().parent / "away.ini", encoding="utf-8")
for sender in sys.argv[1:]:
    for name in rules.sections():
        if any(fnmatch.fnmatch(sender.lower(), mask) for mask in rules[name]["match"].split()):
            print(f"{sender}: [{name}] {rules[name]['answer'] or '(silence)'}")
            break
    else:
        print(f"{sender}: (no section matches)")
''')
