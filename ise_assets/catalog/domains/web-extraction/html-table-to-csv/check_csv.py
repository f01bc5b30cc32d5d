"""The file has the format of the year before and the figures of this year's page, ward by ward."""

import csv
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/{p['topic']}-{p['year']}.csv", "rb") as handle:
    raw = handle.read()
assert not raw.startswith(b"\xef\xbb\xbf") and b"\r" not in raw, "last year's file has no BOM and no carriage returns"
rows = list(csv.reader(raw.decode("utf-8").splitlines(), delimiter=p["separator"]))
assert rows[0] == ["district", "ward", p["topic"], "change"], f"the header is {rows[0]}"
got = [[*row[:3], f"{float(row[3]):.1f}" if row[3] else ""] for row in rows[1:]]
for now, wanted in zip(got, truth["rows"]):
    assert now == wanted, f"{now}, expected {wanted}"
assert len(got) == len(truth["rows"]), f"{len(got)} rows, expected {len(truth['rows'])}"
