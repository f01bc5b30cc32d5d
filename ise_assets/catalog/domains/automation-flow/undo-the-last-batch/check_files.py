"""Each file is at its place with its content, and there is no other."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = Path(p["root"])
found = {str(path.relative_to(root)): path.read_text("utf-8") for path in root.rglob("*") if path.is_file() and path.name != "log.jsonl"}
wrong = sorted(path for path in {*found, *truth["files"]} if found.get(path) != truth["files"].get(path))
assert not wrong, f"not as they should be: {wrong[:4]}"
print(len(found), "files")
