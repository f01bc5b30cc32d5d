"""Every digest in the archive is what the rules make of its entries, and nothing else lies there."""

import json
import os

want = json.loads(os.environ["TRUTH"])["archive"]
names = sorted(os.listdir("archive"))
assert names == sorted(want), f"the archive holds {names}"
for name, text in want.items():
    with open(f"archive/{name}", encoding="utf-8") as handle:
        assert handle.read() == text, f"archive/{name} is wrong"
