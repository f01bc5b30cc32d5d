"""One message is in the channel, with the plan and the date."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
path = f"{p['home']}/.local/share/messages-{p['ports']['mail']}/sent.jsonl"
sent = [json.loads(line) for line in open(path, encoding="utf-8")]
assert [m["to"] for m in sent] == [p["channel"]], [m["to"] for m in sent]
words = (sent[0]["subject"] + " " + sent[0]["text"]).lower()
plan = p["plan"].lower().replace("the ", "", 1)
assert plan in words and truth["date"].lower() in words, words
