"""Every card is in its column, in order and rightly dated; the head of the board is as it was."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
text = open(f"{p['home']}/memory/{p['slug']}/board.md", encoding="utf-8").read()
assert text.startswith(truth["head"].rstrip()), "the rules were changed"
columns = {}
for line in text[len(truth["head"].rstrip()) :].split("\n"):
    if line.startswith("## "):
        columns[line[3:].strip()] = name = []
    elif line.strip():
        name.append(line.rstrip())
assert columns == truth["columns"], next(
    ((k, columns.get(k), v) for k, v in truth["columns"].items() if columns.get(k) != v), list(columns)
)
