"""Writes items, a tool that charges, results of some items in any order, one of them torn, and a checkpoint that lags behind."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
items = [f"{kind['item'][0]}{n:04d}" for n in rng.sample(range(10_000), p["total"])]
values = {item: round(rng.uniform(3, 90), 1) for item in items}
Path("results").mkdir()
Path("items.txt").write_text("".join(item + "\n" for item in items), "utf-8")
Path(f"{kind['verb']}.py").write_text(
    f'''"""{kind['verb'].capitalize()}s one {kind['item']}: python3 {kind['verb']}.py ID. Every call is charged."""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
if len(sys.argv) != 2:
    print("give one id", file=sys.stderr)
    sys.exit(2)
values = json.loads((HERE / ".values.json").read_text("utf-8"))
item = sys.argv[1]
with open(HERE / "charged.log", "a", encoding="utf-8") as log:
    log.write(item + "\\n")
(HERE / "results" / (item + ".json")).write_text(json.dumps({{"id": item, "value": values[item], "unit": "{kind['unit']}"}}) + "\\n", "utf-8")
print(item, values[item])
''',
    "utf-8",
)
Path(".values.json").write_text(json.dumps(values), "utf-8")
start = p["done"]
finished = [*items[:start], *rng.sample(items[start:], 2)]
gap = rng.choice(items[1 : start - 1])  # one in the middle was never done
finished.remove(gap)
torn = finished[-1]
for item in finished:
    text = json.dumps({"id": item, "value": values[item], "unit": kind["unit"]}) + "\n"
    Path("results", f"{item}.json").write_text(text[: len(text) // 2] if item == torn else text, "utf-8")
Path("charged.log").write_text("".join(item + "\n" for item in finished if item != torn), "utf-8")
Path("checkpoint").write_text(f"{start - rng.randint(2, 4)}\n", "utf-8")
todo = [item for item in items if item not in finished or item == torn]
mean = sum(values.values()) / len(values)
print(json.dumps({"items": items, "values": values, "todo": len(todo), "mean": f"{mean:.2f}"}))
