"""due.py gives the right day for many a start, called as before; it takes the closed days from the file."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def told(start, months):
    done = subprocess.run(
        ["python3", "-B", f"{p['root']}/due.py", start, str(months)], capture_output=True, text=True, cwd="/"
    )
    return (done.stdout.strip() or done.stderr.strip()[-80:]).split("\n")[-1]


wrong = [
    f"{start} + {months}: {told(start, months)}" for start, months, day in truth["cases"] if told(start, months) != day
]
assert not wrong, f"wrong due dates: {wrong[:4]}"
