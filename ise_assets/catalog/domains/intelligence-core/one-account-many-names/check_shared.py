"""Exactly the accounts that several names share and that nobody declared."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
found = json.loads(Path(p["root"], "shared.json").read_text("utf-8"))
odd = sorted(found.keys() ^ truth["shared"].keys())
assert not odd, f"missing or not shared: {odd[:4]}"
for account, names in truth["shared"].items():
    assert [name.strip() for name in found[account]] == names, f"{account}: {found[account]}"
print(len(found), "accounts")
