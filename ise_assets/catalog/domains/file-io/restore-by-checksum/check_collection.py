"""Every file is as the list says, the lost one as it was; nothing more lies in the folder."""

import hashlib
import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
folder = Path(p["root"], p["kind"]["dir"])
found = {path.name for path in folder.iterdir()} - {p["kind"]["list"]}
assert found == set(truth["ends"]), f"missing or left over: {sorted(found ^ set(truth['ends']))[:6]}"
for name, end in truth["ends"].items():
    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == end, f"{name} is not as it should be"
print(len(found), "files are right")
