"""The script prints what it did, opens each of its files at most twice, and still takes its figures from them."""

import json
import os
import subprocess
import tempfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
s = p["subject"]
count = """
import builtins, collections, contextlib, io, os, pathlib, runpy, sys
counts, real = collections.Counter(), io.open
def counted(name, *rest, **more):
    counts[os.path.basename(str(name))] += 1
    return real(name, *rest, **more)
builtins.open = io.open = counted
sys.argv = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()):
    runpy.run_path(sys.argv[0], run_name="__main__")
print(max(counts[name] for name in ("prices.csv", "people.csv")))
"""


def run(*command):
    return subprocess.run(["python3", "-B", *command], capture_output=True, text=True, timeout=30)


for name, wanted in ((f"{s['line']}.csv", truth["short"]), (f"{s['line']}-{p['year']}.csv", truth["year"])):
    done = run(s["script"], name)
    assert done.stdout == wanted, f"{name} gives another output: {done.stdout[:120]}{done.stderr[-160:]}"
most = run("-c", count, s["script"], f"{s['line']}.csv")
assert most.returncode == 0 and int(most.stdout) <= 2, f"a table is opened {most.stdout.strip()} times in a run"
with tempfile.TemporaryDirectory() as place:
    for name in ("prices.csv", "people.csv", s["script"], f"{s['line']}.csv"):
        with open(name, encoding="utf-8") as source, open(f"{place}/{name}", "w", encoding="utf-8") as copy:
            lines = source.read().splitlines()
            if name == "prices.csv":
                lines[1:] = [line.rpartition(";")[0] + ";100" for line in lines[1:]]
            copy.write("\n".join(lines) + "\n")
    other = run(f"{place}/{s['script']}", f"{place}/{s['line']}.csv").stdout
    assert other and other != truth["short"], "the prices no longer come from prices.csv"
