"""In a copy: nothing is rebuilt by itself, a change of any source rebuilds the report, another file's does not."""

import json
import os
import shutil
import subprocess
import tempfile

p = json.loads(os.environ["PARAMS"])


def stale(folder, *given):
    return subprocess.run(["make", "-q", *given, "report.txt"], cwd=folder, capture_output=True).returncode


with tempfile.TemporaryDirectory() as scratch:
    copy = shutil.copytree(p["root"], f"{scratch}/copy")
    subprocess.run(["make", "-s", "report.txt"], cwd=copy, capture_output=True, check=True)
    assert stale(copy) == 0, "make rebuilds although nothing has changed"
    for part in p["kind"]["parts"]:
        assert stale(copy, "-W", f"{part}.csv") == 1, f"a change of {part}.csv does not rebuild the report"
    open(f"{copy}/other.csv", "w").close()
    assert stale(copy, "-W", "other.csv") == 0, "any file rebuilds the report"
print("the rule knows its sources")
