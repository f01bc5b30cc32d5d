"""The calendar has the events of the seed, in UTC, with CRLF throughout."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/{p['file']}.ics", encoding="utf-8", newline="") as handle:
    text = handle.read()
assert "\r\n" in text and not re.search(r"(?<!\r)\n", text), "line ends are not CRLF"
assert text.startswith("BEGIN:VCALENDAR\r\n") and text.rstrip().endswith("END:VCALENDAR"), text[:60]
found = []
for block in re.findall(r"BEGIN:VEVENT\r\n(.*?)END:VEVENT", re.sub(r"\r\n[ \t]", "", text), re.S):
    field = dict(line.split(":", 1) for line in block.strip().split("\r\n"))
    found.append([field["UID"], field["SUMMARY"], field["DTSTART"], field["DTEND"]])
want = sorted([leg + "@travel.example", name, start, end] for leg, name, start, end in truth["events"])
assert sorted(found) == want, next(((a, b) for a, b in zip(sorted(found), want) if a != b), (len(found), len(want)))
