"""Good jobs done once each, bad ones put aside with a reason, nothing waits."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = Path(p["root"])
left = [path.name for path in (root / "waiting").iterdir()]
assert not left, f"still waiting: {left[:4]}"
ledger = sorted((root / "ledger.csv").read_text("utf-8").splitlines())
assert ledger == sorted(truth["ledger"]), f"{len(ledger)} entries in the ledger, expected {len(truth['ledger'])}"
failed = {path.name for path in (root / "failed").iterdir()}
expected = {f"{name}{ending}" for name in truth["failed"] for ending in (".json", ".reason")}
assert failed == expected, f"failed holds {sorted(failed)}"
for name in truth["failed"]:
    assert len((root / "failed" / f"{name}.reason").read_text("utf-8").strip()) > 8, f"no reason for {name}"
print(len(ledger), "done,", len(truth["failed"]), "put aside")
