"""Writes a log and its rotated files, older ones gzipped, and the window of an outage that spans three of them."""

import gzip
import json
import os
import random
from datetime import datetime, timedelta

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
at = datetime(2026, 4, rng.randint(1, 20), rng.randint(0, 12), 0)
texts = ["no answer", "started", "stopped", "retry", "back again", "value out of range", "übersprungen", "waiting"]
files = []
for _ in range(p["files"]):
    lines = []
    for _ in range(p["lines"]):
        at += timedelta(seconds=rng.randint(5, 240))
        level = rng.choice(["INFO", "INFO", "WARN", "ERROR", "ERROR"])
        lines.append(f"{at:%Y-%m-%dT%H:%M:%S} {level} {rng.choice(kind['parts'])} {rng.choice(texts)}")
    files.append(lines)
middle = p["files"] // 2
first, last = files[middle - 1][-rng.randint(6, 15)], files[middle + 1][rng.randint(5, 14)]
begin, end = first[:19], last[:19]
window = [line for lines in files for line in lines if begin <= line[:19] <= end]
parts = [line.split()[2] for line in window if line.split()[1] == "ERROR"]
loudest = max(kind["parts"], key=parts.count)
rival = [part for part in kind["parts"] if part != loudest and parts.count(part) == parts.count(loudest)]
if rival:  # one clear winner: an INFO line of the window becomes an error of its
    for lines in files:
        for n, line in enumerate(lines):
            words = line.split(" ", 3)
            if begin < words[0] < end and words[1] == "INFO":
                lines[n] = f"{words[0]} ERROR {loudest} {words[3]}"
                rival = []
                break
        if not rival:
            break
    window = [line for lines in files for line in lines if begin <= line[:19] <= end]
    parts = [line.split()[2] for line in window if line.split()[1] == "ERROR"]
for n, lines in enumerate(files):
    back = p["files"] - 1 - n
    body = ("\n".join(lines) + "\n").encode()
    name = kind["log"] if back == 0 else f"{kind['log']}.{back}"
    if back >= 2:
        with open(f"{name}.gz", "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as handle:
            handle.write(body)
    else:
        with open(name, "wb") as handle:
            handle.write(body)
with open("outage.txt", "w", encoding="utf-8") as handle:
    handle.write(f"from {begin}\nto {end}\n")
print(json.dumps({"count": len(window), "window": window, "part": loudest, "errors": parts.count(loudest)}))
