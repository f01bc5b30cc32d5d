"""Every record as it should be in the end."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
for name, text in truth["records"].items():
    found = Path(p["root"], name).read_text("utf-8").splitlines()
    assert found == text.splitlines(), f"{name}: {found} should be {text.splitlines()}"
print(len(truth["records"]), "records")
