"""In a copy: a file run again adds nothing, a new one gets in whole, a broken one leaves nothing."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
key, table = p["kind"]["key"], p["kind"]["table"]


def run(folder, name):
    return subprocess.run([sys.executable, "import.py", name], cwd=folder, capture_output=True, text=True, timeout=60)


def rows(folder, name):
    store = sqlite3.connect(f"{folder}/store.sqlite")
    found = sorted(store.execute(f"SELECT {key}, place, at FROM {table} WHERE file = ?", (name,)).fetchall())
    store.close()
    return found


with tempfile.TemporaryDirectory() as scratch:
    copy = shutil.copytree(p["root"], f"{scratch}/copy")
    for name in truth["files"]:
        before = rows(copy, name)
        run(copy, f"done/{name}")
        assert rows(copy, name) == before, f"a second run for {name} changes its rows"
    with open(f"{copy}/2026-05-30.csv", "w", encoding="utf-8") as handle:
        handle.write(f"{key},place,at\nZ1,here,now\nZ1,here,now\nZ2,there,then\n")
    for _ in range(2):
        run(copy, "2026-05-30.csv")
        assert len(rows(copy, "2026-05-30.csv")) == 3, "a new file does not get in with all its lines, once"
    with open(f"{copy}/2026-05-31.csv", "wb") as handle:
        handle.write(f"{key},place,at\n".encode() + b"Z3,here,now\n" * 50_000 + b"Z4,\xff\xfe,now\n")
    run(copy, "2026-05-31.csv")
    assert rows(copy, "2026-05-31.csv") == [], "a run that dies leaves a part of the file"
print("bears being repeated")
