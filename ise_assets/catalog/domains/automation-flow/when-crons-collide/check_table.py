"""One line moved to the first hour that is clear, all others as they were."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/crontab", encoding="utf-8") as handle:
    lines = handle.read().rstrip("\n").split("\n")
wrong = [pair for pair in zip(lines, truth["table"], strict=False) if pair[0].split() != pair[1].split()]
assert not wrong and len(lines) == len(truth["table"]), f"{wrong}"
print("moved")
