"""main.py prints every name rightly; all files but the one that declares itself are UTF-8; the good ones are untouched."""

import glob
import json
import os
import subprocess

truth = json.loads(os.environ["TRUTH"])
done = subprocess.run(["python3", "-B", "main.py"], capture_output=True, timeout=30)
assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-200:]
assert done.stdout.decode() == truth["output"], "main.py prints other names"
for path in glob.glob("*.py"):
    with open(path, "rb") as handle:
        data = handle.read()
    if path != "legacy.py":
        data.decode("utf-8")
        assert b"coding: cp1252" not in data, f"{path} only declares another encoding"
for name, text in truth["good"].items():
    with open(f"{name}.py", encoding="utf-8") as handle:
        assert handle.read() == text, f"{name}.py was in order and has changed"
