"""The panel holds the true values and is otherwise as it was; corrections.csv lists what was changed, and why."""

import csv
import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
site, true = p["site"], truth["true"]
with open(f"{p['root']}/panel.md", encoding="utf-8", newline="") as handle:
    text = handle.read().replace("\r\n", "\n")
want = (
    f"# {site['name']}\n\nThe {site['kind']} was built in {true['year']} by {true['builder']}.\n"
    f"It is {true['size']} m {site['measure']} and was in use until {true['closed']}.\nPlease do not touch the models. "
)
assert text.startswith(want), f"the panel begins {text[:200]!r}"
assert re.fullmatch(r"Guided tours start at \d\d:30 from the cloakroom\.\n*", text[len(want) :]), text[len(want) :]
with open(f"{p['root']}/corrections.csv", encoding="utf-8-sig", newline="") as handle:
    rows = list(csv.DictReader(handle))
got = {(row["was"].removesuffix(" m"), row["now"].removesuffix(" m")): row["source"] for row in rows}
assert len(rows) == len(truth["rows"]), f"{len(rows)} rows, expected {len(truth['rows'])}"
for was, now, source in truth["rows"]:
    assert source in got.get((was, now), ""), f"no row {was} -> {now} with a page under {source}: {got}"
