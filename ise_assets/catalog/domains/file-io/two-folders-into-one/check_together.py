"""The folder holds every version once, each under its name."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
target = Path(p["root"], "together")
found = {str(path.relative_to(target)): path.read_text("utf-8") for path in target.rglob("*") if path.is_file()}
odd = sorted(found.keys() ^ truth["expected"].keys())
assert not odd, f"missing or left over: {odd[:5]}"
wrong = sorted(name for name in found if found[name] != truth["expected"][name])
assert not wrong, f"another content: {wrong[:5]}"
print(len(found), "files are right")
