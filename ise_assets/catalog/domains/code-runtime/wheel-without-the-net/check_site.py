"""The lib folder holds what the wheel holds and what is not of the package, and nothing of the old version."""

import glob
import json
import os
import subprocess
import zipfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
site = f"{p['where']}/lib"
wheels = glob.glob(f"dist/{p['pkg']}-{p['new']}-*.whl")
assert wheels, "no wheel of the new version"
with zipfile.ZipFile(wheels[0]) as wheel:
    wanted = set(wheel.namelist()) | {"local_settings.py", "clock/__init__.py"}
got = {
    os.path.relpath(os.path.join(top, n), site)
    for top, _, names in os.walk(site)
    for n in names
    if not n.endswith(".pyc")
}
assert got == wanted, f"too much or missing: {sorted(got ^ wanted)[:5]}"
environment = {**os.environ, "PYTHONPATH": os.path.abspath(site)}
done = subprocess.run(["python3", "-B", "-m", p["pkg"]], env=environment, cwd="/", capture_output=True, text=True)
line = done.stdout.split("\n")[0]
assert line.startswith(f"{p['pkg']} {p['new']},") and line.endswith(f"sum {truth['total']}"), (
    f"{line}{done.stderr[-160:]}"
)
