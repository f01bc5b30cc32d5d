"""One message went out, to the kitchen, with the three numbers."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
path = f"{p['home']}/.local/share/messages-{p['ports']['mail']}/sent.jsonl"
sent = [json.loads(line) for line in open(path, encoding="utf-8")]
assert [m["to"] for m in sent] == [truth["address"]], [m["to"] for m in sent]
for label, key in (("Adults", "adults"), ("Children", "children"), (p["special"], "special")):
    found = re.findall(rf"^\W*{label}\W*:\s*(\d+)\s*$", sent[0]["text"], re.M | re.I)
    assert found == [str(truth[key])], f"{label}: {found}, expected {truth[key]}"
