"""Tests and program are right in several time zones and with several hash seeds."""

import json
import os
import subprocess
import tempfile

p = json.loads(os.environ["PARAMS"])
entries = [
    {"at": 1764545400, "tags": ["pear", "fig", "apple"]},  # 2025-11-30 23:30 UTC
    {"at": 1764549000, "tags": ["kiwi", "plum", "date", "lime"]},  # 2025-12-01 00:30 UTC
    {"at": 1764590400, "tags": ["plum", "lime"]},
]
want = "2025-11-30 3 apple,fig,pear\n2025-12-01 6 lime,plum,date,kiwi\n"
with tempfile.NamedTemporaryFile("w", suffix=".json") as handle:
    json.dump(entries, handle)
    handle.flush()
    for seed, zone in ((1, "UTC+9"), (2, "UTC-9"), (3, "UTC")):
        env = {**os.environ, "TZ": zone, "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(["python3", "-B", f"{p['module']}.py", handle.name], env=env, capture_output=True, text=True)
        assert done.stdout == want, f"TZ={zone}, hash seed {seed}: {done.stdout}{done.stderr[-200:]}"
for seed in (1, 2):
    done = subprocess.run(["bash", "ci.sh", str(seed)], capture_output=True, text=True)
    assert done.returncode == 0, f"ci.sh {seed} is red: {done.stderr[-200:]}"
