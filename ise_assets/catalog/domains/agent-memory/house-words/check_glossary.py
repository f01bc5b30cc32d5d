"""The glossary has one entry more, at its end; all else is as it was."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
now = open(f"{p['home']}/memory/{p['slug']}/glossary.md", encoding="utf-8").read()
want = truth["glossary"] + f"- {p['fresh'][0]} -> {p['fresh'][1]} (2026-03-02)"
assert now.rstrip() == want, now[-200:]
