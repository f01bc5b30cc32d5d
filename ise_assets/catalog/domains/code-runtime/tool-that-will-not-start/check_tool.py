"""The tool starts by itself, from anywhere, and answers rightly on its own list and on another one without a BOM."""

import csv
import json
import os
import shutil
import subprocess
import tempfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def ask(root, *arguments):
    done = subprocess.run([f"{root}/bin/{p['tool']}", *arguments], cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-200:]}"
    return done.stdout.splitlines()


rows = list(csv.DictReader(open("data/stock.csv", encoding="utf-8-sig", newline=""), delimiter=";"))
assert ask(p["root"], "count") == [str(len(rows))], "count is wrong"
for below in (p["below"], 3, 45):
    want = sorted((int(row["left"]), row[p["noun"]]) for row in rows if int(row["left"]) < below)
    got = [(int(line.split(";")[1]), line.split(";")[0]) for line in ask(p["root"], "low", "--below", str(below))]
    assert got == want, f"low --below {below} is wrong: {got[:3]}"
with tempfile.TemporaryDirectory() as folder:
    shutil.copytree(p["root"], f"{folder}/copy")
    with open(f"{folder}/copy/data/stock.csv", "w", encoding="utf-8") as handle:
        handle.write(f"{p['noun']};left;target;price\nred one;1;9;2,00\n")
    assert ask(f"{folder}/copy", "low", "--below", "2") == ["red one;1;9;2.00"], "another list is read wrongly"
