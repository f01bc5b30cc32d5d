"""clean.csv has the right rows of subscribers.csv, in their order and as they were."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
now = open(p["root"] + "/clean.csv", encoding="utf-8").read().splitlines()
then = open(p["root"] + "/subscribers.csv", encoding="utf-8").read().splitlines()
want = [then[0]] + [line for line in then[1:] if line.split(",")[0] in truth["kept"]]
assert now == want, next(((a, b) for a, b in zip(now, want) if a != b), f"{len(now)} lines, expected {len(want)}")
