"""The program accepts its settings and shows the right values, each of them once."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
done = subprocess.run(["python3", "-B", p["subject"]["prog"], "--show"], capture_output=True, text=True, timeout=20)
assert done.returncode == 0, done.stderr[-200:]
got = dict(line.split(" = ", 1) for line in done.stdout.splitlines())
wrong = {name: got.get(name) for name in {**truth["wanted"], **got} if got.get(name) != truth["wanted"].get(name)}
assert not wrong, f"other than they should be: {wrong}"
