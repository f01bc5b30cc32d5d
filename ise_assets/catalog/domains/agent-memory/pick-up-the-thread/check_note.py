"""The session note has today's line, and is else as it was."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
found = Path(p["home"], "memory", p["kind"]["slug"], "sessions.md").read_text("utf-8")
assert found.split() == truth["note"].split(), found.splitlines()[-1]
print(found.splitlines()[-1])
