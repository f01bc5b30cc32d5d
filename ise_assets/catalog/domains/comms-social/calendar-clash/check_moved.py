"""Only the one appointment has changed: start, end, sequence; line ends and everything else are as before."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/private.ics", encoding="utf-8", newline="") as handle:
    now = handle.read()
blocks = re.split(r"(?=BEGIN:VEVENT)", truth["private"])
which = next(i for i, b in enumerate(blocks) if f"SUMMARY:{p['appointment']}\r\n" in b)
block = blocks[which].replace("SEQUENCE:0", "SEQUENCE:1")
block = re.sub(r"(DTSTART[^:]*:)\w+", r"\g<1>" + p["moved_start"], block)
blocks[which] = re.sub(r"(DTEND[^:]*:)\w+", r"\g<1>" + p["moved_end"], block)
want = "".join(blocks)
assert "\r\n" in now, "the line ends were changed"
assert now == want, next((a, b) for a, b in zip(now.split("\r\n") + [""] * 99, want.split("\r\n")) if a != b)
