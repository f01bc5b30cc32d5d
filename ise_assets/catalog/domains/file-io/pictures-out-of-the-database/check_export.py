"""Each content once under its name, and an index of all entries."""

import csv
import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = Path(p["root"])
found = {path.name: path.read_bytes().hex() for path in (root / "files").iterdir()}
odd = sorted(found.keys() ^ truth["content"].keys())
assert not odd, f"missing or left over: {odd[:5]}"
assert found == truth["content"], "a file's content is another"
with open(root / "index.csv", encoding="utf-8-sig", newline="") as handle:
    rows = [row for row in csv.reader(handle) if row]
assert rows[0] == ["id", "title", "file"], f"header {rows[0]}"
assert rows[1:] == truth["index"], f"{len(rows) - 1} entries, expected {len(truth['index'])} by id"
print(len(found), "files")
