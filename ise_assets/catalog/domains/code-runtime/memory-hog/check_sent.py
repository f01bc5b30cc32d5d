"""The keeper, and nobody else, was told the busiest one and its total."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
path = f"{p['home']}/.local/share/messages-{p['ports']['mail']}/sent.jsonl"
assert os.path.exists(path), "nothing was sent"
with open(path, encoding="utf-8") as handle:
    sent = [json.loads(line) for line in handle]
assert {m["to"].strip() for m in sent} == {p["keeper"]}, f"sent to {[m['to'] for m in sent]}"
text = " ".join(m["text"] for m in sent)
for wanted in (rf"\b{truth['top']}\b", rf"\b{truth['total']}\b", re.escape(p["script"])):
    assert re.search(wanted, text), f"the message lacks {wanted}"
