"""Writes a digest program that depends on time zone and hash seed, its tests, and an archive it wrote elsewhere; prints the truths."""

import datetime
import json
import os
import random
import subprocess
import sys

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
what, module, tags, zone = p["what"], p["module"], p["tags"], p["zone"]


def put(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
    os.chmod(path, mode)


def day_of(stamp, hours=0):
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=stamp, hours=hours)).date().isoformat()


def digest(entries, hours=0, by_name=True):
    days = {}
    for entry in entries:
        days.setdefault(day_of(entry["at"], hours), []).extend(entry["tags"])
    lines = []
    for day in sorted(days):
        found = sorted(set(days[day]))
        if not by_name:
            found.reverse()
        lines.append(f"{day} {len(days[day])} {','.join(sorted(found, key=lambda tag: -days[day].count(tag)))}\n")
    return "".join(lines)


put(
    f"{module}.py",
    f'''"""The {what} digest: a line a day with its tags, from a file of entries."""
import argparse
import datetime
import json
import os


def day_of(stamp):
    """The day of a time stamp (seconds since 1970)."""
    return datetime.datetime.fromtimestamp(stamp).date().isoformat()


def digest(entries):
    """Day, number of tags and the tags by frequency, one line a day."""
    days = {{}}
    for entry in entries:
        days.setdefault(day_of(entry["at"]), []).extend(entry["tags"])
    lines = []
    for day in sorted(days):
        tags = days[day]
        order = sorted(set(tags), key=tags.count, reverse=True)
        lines.append("%s %d %s" % (day, len(tags), ",".join(order)))
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="{module}.py")
    parser.add_argument("file", nargs="+", help="JSON files of entries")
    parser.add_argument("--out", help="a folder for the digests, one a file; they are printed if it is left out")
    options = parser.parse_args()
    for path in options.file:
        with open(path, encoding="utf-8") as handle:
            text = "".join(line + "\\n" for line in digest(json.load(handle)))
        if options.out:
            name = os.path.basename(path).replace(".json", ".txt")
            with open(os.path.join(options.out, name), "w", encoding="utf-8") as handle:
                handle.write(text)
        else:
            print(text, end="")
''',
)
# tags whose order in a set is by name with the hash seed of this machine, and with some of the seeds 1 to 4 but not with all
pool = [*tags, *(f"{tag}-{n}" for tag in tags for n in (2, 3, 4))]
tried = [rng.sample(pool, 3) for _ in range(200)]
source = f"print([list(set(tags)) == sorted(tags) for tags in {tried}])"
by_name = [
    json.loads(subprocess.check_output([sys.executable, "-S", "-c", source], env={**os.environ, "PYTHONHASHSEED": str(n)}).lower())
    for n in range(1, 5)
]
equal = next(
    tags for k, tags in enumerate(tried) if list(set(tags)) == sorted(tags) and len({row[k] for row in by_name}) == 2
)
late = 1_760_000_000 // 86400 * 86400 + (86400 - 1800 if zone["hours"] > 0 else 1800)
put("tests/__init__.py", "")
put(
    "tests/test_digest.py",
    f'''"""The rules of the digest, see README.md."""
import unittest

from {module} import digest


class Digest(unittest.TestCase):
    def test_most_frequent_first(self):
        entries = [{{"at": 1759924800, "tags": ["{equal[0]}"]}}, {{"at": 1759928400, "tags": ["{equal[1]}", "{equal[0]}"]}}]
        self.assertEqual(digest(entries), ["{day_of(1759924800)} 3 {equal[0]},{equal[1]}"])

    def test_equal_tags_by_name(self):
        entries = [{{"at": 1759924800, "tags": {json.dumps(equal)}}}]
        self.assertEqual(digest(entries), ["{day_of(1759924800)} 3 {','.join(sorted(equal))}"])

    def test_early_or_late_evening(self):
        self.assertEqual(digest([{{"at": {late}, "tags": ["{equal[2]}"]}}]), ["{day_of(late)} 1 {equal[2]}"])
''',
)
put("ci.sh", f'#!/bin/bash\n# what the build machine ({zone["name"]}) does; it takes another hash seed each time\ncd "$(dirname "$0")"\nTZ={zone["posix"]} PYTHONHASHSEED=${{1:-random}} python3 -B -m unittest\n', 0o755)
put("README.md", f"# {what} digest\n\nA line a day (days in UTC): the day, how many tags, and the tags,\nthe most frequent first and equal ones by name.\n\n`python3 {module}.py --out archive entries/*.json`\n")

wrong = []
bad = set(rng.sample(range(1, p["weeks"] + 1), rng.randint(2, p["weeks"] - 3)))
for week in range(1, p["weeks"] + 1):
    name = f"week-{week:02d}"
    monday = 1_759_708_800 + (week - 1) * 7 * 86400
    middle = [monday + day * 86400 + rng.randint(11 * 3600, 13 * 3600) for day in range(5) for _ in range(rng.randint(1, 3))]
    entries = [{"at": at, "tags": rng.sample(p["tags"], rng.randint(1, 2))} for at in middle]
    # a day on which two tags are equally frequent, and entries near midnight in the weeks that went wrong
    entries.append({"at": monday + 5 * 86400 + 43200, "tags": rng.sample(p["tags"], 3)})
    if week in bad:
        entries.append({"at": monday + 3 * 86400 + (84600 if zone["hours"] > 0 else 2700), "tags": [rng.choice(p["tags"])]})
    entries.sort(key=lambda entry: entry["at"])
    put(f"entries/{name}.json", json.dumps(entries, indent=1) + "\n")
    right = digest(entries)
    kind = rng.choice(["zone", "order", "both"]) if week in bad else ""
    kept = digest(entries, zone["hours"] if kind in ("zone", "both") else 0, kind not in ("order", "both"))
    put(f"archive/{name}.txt", kept)
    if kept != right:
        wrong.append(name)
assert len(wrong) == len(bad), (wrong, bad)
named = "(?s)" + "".join(f"(?=.*{name})" for name in wrong)
archive = {}
for name in sorted(os.listdir("entries")):
    with open(f"entries/{name}", encoding="utf-8") as handle:
        archive[name.replace(".json", ".txt")] = digest(json.load(handle))
print(json.dumps({"wrong": len(wrong), "named": named, "archive": archive}))
