"""missing.txt lists what has no checked translation, in order."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
got = [line.strip() for line in open(p["root"] + "/missing.txt", encoding="utf-8") if line.strip()]
assert got == truth["missing"], got
