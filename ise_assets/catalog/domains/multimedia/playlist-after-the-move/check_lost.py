"""lost.txt names what could not be found."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
got = [line.strip() for line in open(p["root"] + "/lost.txt", encoding="utf-8") if line.strip()]
assert got == truth["lost"], got
