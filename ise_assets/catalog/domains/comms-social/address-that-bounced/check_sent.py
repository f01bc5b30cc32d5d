"""One message went out, to the one on duty, with date and time."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
path = f"{p['home']}/.local/share/messages-{p['ports']['mail']}/sent.jsonl"
sent = [json.loads(line) for line in open(path, encoding="utf-8")]
assert [m["to"] for m in sent] == [truth["new"]], [m["to"] for m in sent]
words = sent[0]["subject"] + "\n" + sent[0]["text"]
assert re.search(rf"(?<!\d)0?{p['start']}", words), words
assert p["date"] in words or re.search(rf"(?<!\d)0?{p['day']}(?!\d)", words.replace(p["start"], "")), words
