"""The notes are those that should remain, each as it should be."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
folder = Path(p["home"], "memory", p["base"])
names = sorted(path.name for path in folder.iterdir())
assert names == sorted(truth["notes"]), f"notes: {names}"
for name, text in truth["notes"].items():
    found = [line.rstrip() for line in (folder / name).read_text("utf-8").splitlines() if line.strip()]
    assert found == [line for line in text.splitlines() if line.strip()], f"{name}: {found}"
print(len(names), "notes")
