"""The contact book is as before but for the one address."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(p["root"] + "/contacts.vcf", encoding="utf-8", newline="") as handle:
    now = handle.read()
want = truth["book"].replace(truth["old"], truth["new"])
assert now == want, next(((a, b) for a, b in zip(now.split("\n"), want.split("\n")) if a != b), "length differs")
