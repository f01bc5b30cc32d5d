"""Every note lies unaltered where it belongs, and the repaired script files fresh ones rightly in a copy of its folder."""

import json
import os
import shutil
import subprocess
import tempfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
for place, data in truth["places"].items():
    with open(f"{p['root']}/{place}", "rb") as handle:
        assert handle.read().hex() == data, f"{place} was altered"
left = [name for name in os.listdir(f"{p['root']}/inbox") if not name.endswith(".part")]
assert not left, f"left in the inbox: {left}"
with tempfile.TemporaryDirectory() as copy:
    shutil.copy(f"{p['root']}/watch.py", copy)
    os.mkdir(f"{copy}/inbox")
    notes = {
        "win.csv": f"from;Käthe\r\n{p['column']};03.11.2025\r\n".encode("cp1252"),
        "plain.csv": f"from;Kim\n{p['column']};09.12.2025\n".encode(),
        "none.csv": b"from;Kim\n",
        "late.part": f"{p['column']};09.12.2025\n".encode(),
    }
    for name, data in notes.items():
        with open(f"{copy}/inbox/{name}", "wb") as handle:
            handle.write(data)
    done = subprocess.run(["python3", "watch.py", "--once"], cwd=copy, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr[-300:]
    for place in ("done/2025-11/win.csv", "done/2025-12/plain.csv", "rejected/none.csv", "inbox/late.part"):
        assert os.path.exists(f"{copy}/{place}"), f"a fresh note is not at {place}"
