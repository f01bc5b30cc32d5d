"""Recomputes the merged rows from the exports and compares."""

import csv
import glob
import io
import json
import os

p = json.loads(os.environ["PARAMS"])
want = {}
for path in glob.glob(glob.escape(p["root"]) + "/*-export.csv"):
    text = open(path, encoding="utf-8-sig", newline="").read()
    sep = ";" if ";" in text.splitlines()[0] else ","
    for row in csv.DictReader(io.StringIO(text), delimiter=sep):
        branch = os.path.basename(path).removesuffix("-export.csv")
        want[row["Ref"]] = [row["Date"], branch, row["Ref"], "%.2f" % float(row["Amount"].replace(",", "."))]
raw = open(f"{p['root']}/{p['period']}-all.csv", "rb").read()
assert not raw.startswith(b"\xef\xbb\xbf"), "the file starts with a BOM"
rows = list(csv.reader(io.StringIO(raw.decode("utf-8"))))
assert rows[0] == ["date", "branch", "ref", "amount"], f"header is {rows[0]}"
got = [[*row[:3], "%.2f" % float(row[3])] for row in rows[1:]]
assert got == sorted(want.values(), key=lambda row: (row[0], row[2])), f"{len(got)} rows, expected {len(want)}"
