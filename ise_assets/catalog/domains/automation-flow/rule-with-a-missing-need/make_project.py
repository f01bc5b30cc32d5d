"""Writes sources, a script, a Makefile whose rule forgets one of them, and a report that is older than that one's last change."""

import json
import os
import random
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
parts, unit = p["kind"]["parts"], p["kind"]["unit"]
late = parts[p["missing"]]
total = 0
for part in parts:
    rows = [(f"2026-0{rng.randint(1, 4)}-{rng.randint(1, 28):02d}", rng.randrange(3, 90)) for _ in range(rng.randint(4, 9))]
    total += sum(value for _, value in rows)
    with open(f"{part}.csv", "w", encoding="utf-8") as handle:
        handle.write("day,value\n" + "".join(f"{day},{value}\n" for day, value in sorted(rows)))
with open("total.sh", "w", encoding="utf-8") as handle:
    handle.write("# prints a line for each source and the total\nset -e\nt=0\n")
    for part in parts:
        handle.write(f"n=$(awk -F, 'NR > 1 {{s += $2}} END {{print s}}' {part}.csv)\necho \"{part}: $n {unit}\"\nt=$((t + n))\n")
    handle.write(f'echo "total: $t {unit}"\n')
named = " ".join(f"{part}.csv" for part in parts if part != late)
with open("Makefile", "w", encoding="utf-8") as handle:
    handle.write(
        f"all: report.txt summary.txt\n\nreport.txt: total.sh {named}\n\tbash total.sh > $@\n\n"
        "summary.txt: report.txt\n\ttail -n 1 report.txt > $@\n\nclean:\n\trm -f report.txt summary.txt\n\n.PHONY: all clean\n"
    )
for n, name in enumerate([f"{part}.csv" for part in parts] + ["total.sh", "Makefile"]):
    os.utime(name, (1_770_000_000 + n, 1_770_000_000 + n))
subprocess.run(["make", "-s"], check=True)
for name in ("report.txt", "summary.txt"):
    os.utime(name, (1_770_001_000, 1_770_001_000))
with open(f"{late}.csv", "a", encoding="utf-8") as handle:
    handle.write(f"2026-05-02,{p['extra']}\n")
os.utime(f"{late}.csv", (1_770_002_000, 1_770_002_000))
print(json.dumps({"total": total + p["extra"]}))
