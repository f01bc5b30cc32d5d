"""Names and contents are those of the seed; modes may have changed."""

import hashlib
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
total = hashlib.sha256()
for name in sorted(truth["modes"]):
    with open(f"{p['root']}/{p['tree']}/{name}", "rb") as handle:
        total.update(name.encode() + handle.read())
assert total.hexdigest() == truth["contents"], "a file's content has changed"
