"""One file a group with the latest states by id, and the torn lines beside them."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
out = Path(p["root"], f"by-{p['kind']['group']}")
found = {path.name for path in out.iterdir()}
expected = {f"{name}.jsonl" for name in truth["files"]} | {"rejected.txt"}
assert found == expected, f"files {sorted(found)}, expected {sorted(expected)}"
for name, rows in truth["files"].items():
    got = [json.loads(line) for line in (out / f"{name}.jsonl").read_text("utf-8").splitlines() if line.strip()]
    assert got == rows, f"{name}: {len(got)} rows, not the {len(rows)} latest by id"
torn = sorted(line for line in (out / "rejected.txt").read_text("utf-8").splitlines() if line)
assert torn == truth["torn_lines"], f"{len(torn)} torn lines kept, expected {len(truth['torn_lines'])}"
print(len(found), "files are right")
