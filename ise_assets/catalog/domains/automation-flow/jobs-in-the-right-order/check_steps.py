"""Each step that could run ran once, after its needs; the report says so."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = Path(p["root"])
ran = (root / "ran.log").read_text("utf-8").split()
expected = set(truth["needs"]) - {truth["failed"]} - set(truth["left_out"])
assert sorted(ran) == sorted(expected), f"ran: {ran}"
for n, step in enumerate(ran):
    late = [one for one in truth["needs"][step] if one not in ran[:n]]
    assert not late, f"{step} ran before {late}"
report = json.loads((root / "report.json").read_text("utf-8"))
assert report["done"] == ran, "done is not the order in which they ran"
assert report["failed"] == [truth["failed"]], f"failed: {report['failed']}"
assert sorted(report["left_out"]) == truth["left_out"], f"left_out: {report['left_out']}"
print(len(ran), "steps ran")
