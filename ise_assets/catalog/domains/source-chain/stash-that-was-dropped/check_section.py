"""The file holds the lost section and the later change, in order; blank lines do not matter."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
got = [line for line in open(p["subject"]["file"], encoding="utf-8").read().splitlines() if line.strip()]
want = [line for line in truth["wanted"].splitlines() if line.strip()]
wrong = [line for line in got if line not in want] + ["missing: " + line for line in want if line not in got]
assert not wrong, f"{wrong[:4]}"
assert got == want, "the lines are in another order"
