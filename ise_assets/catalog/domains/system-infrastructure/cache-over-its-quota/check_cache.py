"""Index and files hold exactly what the rules leave."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = Path(p["root"])
index = json.loads((root / "index.json").read_text("utf-8"))
assert index == truth["left"], f"index: {sorted(set(index) ^ set(truth['left']))} differ"
files = sorted(path.name for path in (root / "data").iterdir())
assert files == sorted(entry["file"] for entry in index.values()), "files and index do not agree"
print(len(files), "entries")
