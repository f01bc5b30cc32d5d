"""One message went out, to the one who changed the figure, with the commit and both values."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
path = f"{p['home']}/.local/share/messages-{p['ports']['mail']}/sent.jsonl"
assert os.path.exists(path), "nothing was sent"
with open(path, encoding="utf-8") as handle:
    sent = [json.loads(line) for line in handle]
assert {m["to"].strip() for m in sent} == {truth["to"]}, f"sent to {[m['to'] for m in sent]}"
text = " ".join(m["subject"] + " " + m["text"] for m in sent)
for wanted in (truth["short"], rf"\b{p['old']}\b", rf"\b{p['old'] + p['change']}\b"):
    assert re.search(wanted, text), f"the message lacks {wanted}"
