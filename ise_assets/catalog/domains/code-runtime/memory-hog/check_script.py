"""The script prints what it did, for this log and another, and keeps within the allowance."""

import json
import os
import subprocess
import tempfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def run(*command):
    return subprocess.run(["python3", "-B", *command], capture_output=True, text=True, timeout=30)


assert run(p["script"], "events.log").stdout == truth["output"], "another output than before"
with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".log") as other:
    other.write(truth["log"])
    other.flush()
    assert run(p["script"], other.name).stdout == truth["half"], "another output than before for another log"
probe = """
import collections, contextlib, csv, io, itertools, re, sys, tracemalloc
sys.argv = sys.argv[1:]
code = compile(open(sys.argv[0], encoding="utf-8").read(), sys.argv[0], "exec")
tracemalloc.start()
with contextlib.redirect_stdout(io.StringIO()):
    exec(code, {"__name__": "__main__"})
print(tracemalloc.get_traced_memory()[1] // 1024)
"""
peak = int(run("-c", probe, p["script"], "events.log").stdout)
assert peak <= p["allowance"], f"{peak} KiB, {p['allowance']} are allowed"
