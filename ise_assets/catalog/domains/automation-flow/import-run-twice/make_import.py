"""Writes files (some with equal lines), the script that appends, and a table that holds some files twice, one of them in part."""

import csv
import json
import os
import random
import sqlite3
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
key, table = kind["key"], kind["table"]
Path("done").mkdir()
store = sqlite3.connect("store.sqlite")
store.execute(f"CREATE TABLE {table} ({key} TEXT, place TEXT, at TEXT, file TEXT)")
files = {}
for day in range(1, p["days"] + 1):
    rows = []
    for _ in range(rng.randint(8, 16)):
        rows.append([f"{rng.choice('KMX')}{rng.randrange(100, 999)}", rng.choice(kind["words"]), f"2026-04-{day:02d}T{rng.randrange(5, 23):02d}:{rng.randrange(60):02d}"])
    rows.append(list(rng.choice(rows)))  # a real pair of equal lines
    rng.shuffle(rows)
    name = f"2026-04-{day:02d}.csv"
    with open(f"done/{name}", "w", encoding="utf-8", newline="") as handle:
        out = csv.writer(handle, lineterminator="\n")
        out.writerow([key, "place", "at"])
        out.writerows(rows)
    files[name] = rows
twice, torn = rng.sample(sorted(files), 2)
surplus = 0
for name, rows in files.items():
    taken = [*rows]
    if name == twice:
        taken += rows
        surplus += len(rows)
    if name == torn:
        half = rows[: rng.randint(3, len(rows) - 3)]
        taken = half + taken
        surplus += len(half)
    store.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [(*row, name) for row in taken])
store.commit()
store.close()
Path("import.py").write_text(
    f'''"""Takes a CSV file into store.sqlite: python3 import.py FILE"""

import csv
import pathlib
import sqlite3
import sys

path = pathlib.Path(sys.argv[1])
store = sqlite3.connect(pathlib.Path(__file__).resolve().parent / "store.sqlite")
with open(path, encoding="utf-8", newline="") as handle:
    for row in csv.DictReader(handle):
        store.execute(
            "INSERT INTO {table} ({key}, place, at, file) VALUES (?, ?, ?, ?)",
            (row["{key}"], row["place"], row["at"], path.name),
        )
        store.commit()
''',
    "utf-8",
)
print(json.dumps({"surplus": surplus, "files": files}))
