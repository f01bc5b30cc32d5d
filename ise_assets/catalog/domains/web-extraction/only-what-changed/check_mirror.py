"""Files, tags and the folder gone are as the server has it."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = Path(p["root"])
here = {path.name: path.read_text("utf-8") for path in root.glob("*.txt")}
assert here == {name: text for name, (text, _) in truth["docs"].items()}, f"files: {sorted(here)}"
tags = json.loads((root / "etags.json").read_text("utf-8"))
assert tags == {name: tag for name, (_, tag) in truth["docs"].items()}, "the tags are not those of today"
assert sorted(path.name for path in (root / "gone").iterdir()) == truth["names"], "the folder gone"
print(len(here), "documents")
