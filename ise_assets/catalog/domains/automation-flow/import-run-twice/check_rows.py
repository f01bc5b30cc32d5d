"""The table has every line of every file, as often as the file has it."""

import json
import os
import sqlite3
from collections import Counter

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
key, table = p["kind"]["key"], p["kind"]["table"]
store = sqlite3.connect(f"file:{p['root']}/store.sqlite?mode=ro", uri=True)
found = Counter(store.execute(f"SELECT {key}, place, at, file FROM {table}").fetchall())
right = Counter((*row, name) for name, rows in truth["files"].items() for row in rows)
assert found == right, f"{sum((found - right).values())} too many, {sum((right - found).values())} missing"
print(sum(found.values()), "rows")
