"""The log has one entry more, after its own rules, and one status changed; all else is as it was."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
text = open(f"{p['home']}/memory/{p['slug']}/decisions.md", encoding="utf-8").read()
entries = re.split(r"^(?=## )", text, flags=re.M)[1:]
assert len(entries) == truth["head"] + 1, f"{len(entries)} entries, expected {truth['head'] + 1}"
lines = entries[-1].strip().split("\n")
want = [f"## {truth['new_id']} Use {p['new']} for {p['topic']}", "Status: accepted", f"Date: {p['date']}"]
assert lines[:3] == want, f"the new entry begins {lines[:3]}"
assert len(lines) == 5 and lines[3].startswith("Reason: ") and p["reason"] in lines[3], f"reason: {lines[3:]}"
assert lines[4] == "Depends: -", f"last line: {lines[4]}"
status = {entry.split()[1]: re.search(r"^Status: (.*)$", entry, re.M).group(1) for entry in entries}
assert status[truth["old_id"]] == f"superseded by {truth['new_id']}", f"{truth['old_id']} is {status[truth['old_id']]}"
assert status[truth["older_id"]] == f"superseded by {truth['old_id']}", f"{truth['older_id']} was changed"
others = {s for k, s in status.items() if k not in (truth["old_id"], truth["older_id"])}
assert others == {"accepted"}, f"other statuses: {others}"
