"""All lines of the window, in time order."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
found = [line for line in Path(p["root"], "outage.log").read_text("utf-8").splitlines() if line]
assert sorted(found) == sorted(truth["window"]), f"{len(found)} lines, expected {len(truth['window'])}"
times = [line[:19] for line in found]
assert times == sorted(times), "not in order of time"
print(len(found), "lines")
