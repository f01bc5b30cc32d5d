"""Each note is as the rules leave it."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
folder = Path(p["home"], "memory", p["slug"])
for name, text in truth["notes"].items():
    found = [line for line in (folder / name).read_text("utf-8").splitlines() if line.strip()]
    right = [line for line in text.splitlines() if line.strip()]
    assert found == right, f"{name}: {[line for line in found if line not in right][:2]} {[line for line in right if line not in found][:2]}"
print(len(truth["notes"]), "notes")
