"""Each file lies under its clean name with its own content, the smaller double aside, and the index links to them."""

import hashlib
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
folder = f"{p['root']}/{p['dir']}"


def digests(where):
    names = sorted(name for name in os.listdir(where) if os.path.isfile(f"{where}/{name}") and name != "index.md")
    return {name: hashlib.sha256(open(f"{where}/{name}", "rb").read()).hexdigest() for name in names}


files = digests(folder)
assert set(files) == set(truth["files"]), f"files are {sorted(files)}"
assert files == truth["files"], "a file has the content of another one"
assert digests(f"{folder}/doubles") == truth["double"], "doubles/ does not hold the smaller one under its clean name"
with open(f"{folder}/index.md", encoding="utf-8") as handle:
    assert handle.read().rstrip() == truth["index"].rstrip(), "index.md is not the old text with the new links"
