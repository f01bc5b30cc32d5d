"""Each customer concerned has one message with subject and date; there is no other."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
path = f"{p['home']}/.local/share/messages-{p['ports']['mail']}/sent.jsonl"
sent = {}
for line in open(path, encoding="utf-8"):
    message = json.loads(line)
    assert message["to"] not in sent, f"{message['to']} was written to twice"
    sent[message["to"]] = message
assert sorted(sent) == sorted(to for _, to, _ in truth["affected"]), sorted(sent)
for number, to, day in truth["affected"]:
    assert sent[to]["subject"].strip() == f"Order {number}", sent[to]["subject"]
    assert day in sent[to]["text"], f"{day} is not in {sent[to]['text']}"
