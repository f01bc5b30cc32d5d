"""The reminders, each at its date, in their order."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
found = Path(p["home"], "memory", p["slug"], "reminders.md").read_text("utf-8").rstrip().splitlines()
right = truth["note"].rstrip().splitlines()
assert found == right, next(((a, b) for a, b in zip(found, right) if a != b), f"{len(found)} lines, expected {len(right)}")
print(len(found), "lines")
