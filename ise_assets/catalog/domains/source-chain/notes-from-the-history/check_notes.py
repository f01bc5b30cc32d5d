"""The notes list what was added and fixed, in order, without what was reverted."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def parts(text):
    found, name = {}, ""
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.startswith("#"):
            name = line.lstrip("# ")
            found[name] = []
        else:
            found[name].append(re.sub(r"^[-*]\s*", "", line))
    return found


got = parts(open(f"notes/{p['new']}.md", encoding="utf-8").read())
want = parts(truth["notes"])
assert list(got) == list(want), f"headings are {list(got)}"
for name, lines in want.items():
    wrong = [line for line in got[name] if line not in lines] + ["missing: " + line for line in lines if line not in got[name]]
    assert not wrong, f"{name}: {wrong[:4]}"
    assert got[name] == lines, f"{name} is not in order"
