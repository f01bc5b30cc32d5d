"""A small command-line tool as it comes from a Windows machine: CRLF, no x bit, a module in the wrong case, a BOM."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
tool, noun = p["tool"], p["noun"]


def put(path, text, mode=0o644, end="\r\n", bom=""):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as handle:
        handle.write(bom + text.replace("\n", end))
    os.chmod(path, mode)


put(
    f"bin/{tool}",
    f'''#!/usr/bin/env python3
"""{tool}: looks after our {noun}s."""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(HERE, "lib"))
sys.dont_write_bytecode = True
import store


def main():
    parser = argparse.ArgumentParser(prog="{tool}")
    commands = parser.add_subparsers(dest="command", required=True)
    low = commands.add_parser("low", help="{noun}s of which fewer are left than --below says")
    low.add_argument("--below", type=int, required=True)
    commands.add_parser("count", help="how many {noun}s there are")
    options = parser.parse_args()
    rows = store.load(os.path.join(HERE, "data", "stock.csv"))
    if options.command == "count":
        print(len(rows))
    else:
        for row in store.low(rows, options.below):
            print("%s;%d;%d;%.2f" % (row["{noun}"], row["left"], row["target"], row["price"]))


main()
''',
)
put(
    f"lib/{p['cased']}",
    f'''"""Reads the stock list."""
import csv


def load(path):
    """The rows with their numbers as numbers."""
    with open(path, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter=";"))
    return [
        {{"{noun}": row["{noun}"], "left": int(row["left"]), "target": int(row["target"]), "price": float(row["price"].replace(",", "."))}}
        for row in rows
    ]


def low(rows, below):
    """The rows with fewer than `below` left, the fewest first."""
    return sorted((row for row in rows if row["left"] < below), key=lambda row: (row["left"], row["{noun}"]))
''',
)
first = ["blue", "small", "round", "heavy", "plain", "köln", "süd", "double", "light", "fine", "old", "long"]
names = [f"{a} {noun} {n}" for a in first for n in range(1, 6)]
rows, low = [], []
for name in rng.sample(names, p["rows"]):
    left, target, price = rng.randint(0, 60), rng.randint(60, 120), rng.randint(90, 9900)
    rows.append(f"{name};{left};{target};{price // 100},{price % 100:02d}")
    if left < p["below"]:
        low.append((left, target, price))
rows.append(f"last {noun};{p['below'] - 1};{p['below'] + 40};2,50")
low.append((p["below"] - 1, p["below"] + 40, 250))
rng.shuffle(rows)
put("data/stock.csv", f"{noun};left;target;price\n" + "\n".join(rows) + "\n", bom="\ufeff")
put("README.txt", f"{tool}\n\nbin/{tool} low --below 10\nbin/{tool} count\n\nThe list in data/ comes from the till every night; never edit it.\n")
cost = sum((target - left) * price for left, target, price in low)
print(json.dumps({"count": len(rows), "low": len(low), "cost": "%d.%02d" % divmod(cost, 100)}))
