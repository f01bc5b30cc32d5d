"""The report answers rightly for two months, the helper bears its new name and no other, and its users print what they always did."""

import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def said(*command):
    done = subprocess.run(command, cwd=p["root"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(command)} exits {done.returncode}: {done.stderr[-200:]}"
    return done.stdout


assert not os.path.exists(f"{p['shadow']['name']}.py"), f"{p['shadow']['name']}.py is still there"
with open(f"{p['new_name']}.py", encoding="utf-8") as handle:
    assert handle.read() == truth["helper"], "the helper itself was changed"
for month, report in truth["reports"].items():
    got = said("python3", "-B", "report.py", "--month", month)
    assert got == report, f"the report for {month} is wrong: {got[:160]}"
for name, output in truth["outputs"].items():
    got = said("bash", name) if name.endswith(".sh") else said("python3", "-B", name)
    assert got == output, f"{name} prints {got[:160]}"
