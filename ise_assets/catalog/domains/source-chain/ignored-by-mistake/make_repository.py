"""A repository whose ignore rules hide files that belong in it, and which tracks a junk file."""

import json
import os
import random
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s = p["subject"]


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


words = rng.sample(
    ["north", "south", "oak", "copper", "river", "winter", "old", "new", "long", "blue", "hill", "mill"], 12
)
put(".gitignore", "# made by the program\nbuild*\nlists/\n*.tmp\n")
put("docs/.gitignore", "*.csv\n")
put("README.md", f"# {s['repo']}\n\nbuild/ and lists/ are written by make_all.sh.\n")
put("make_all.sh", "#!/bin/sh\nmkdir -p build lists && date > build/stamp.txt\n")
put("docs/index.md", f"# {s['pages']}\n")
put(p["junk"], "junk\n")
git("init", "-q", "-b", "main")
git("add", "-A", "-f")
git("commit", "-q", "-m", f"Begin {s['repo']}")
missing = [f"{s['wide']}/{words[n]}.md" for n in range(p["cards"])]
missing += [f"{s['twin']}/lists/{words[n]}.txt" for n in range(p["lists"])]
missing += [f"docs/{s['csv']}-{words[n]}.csv" for n in range(p["tables"])]
generated = ["build/stamp.txt", "build/all.html", "lists/all.txt", "lists/short.txt"]
for path in missing + generated:
    put(path, f"{path} {rng.randint(100, 999)}\n")
put(f"{s['twin']}/about.md", "# About\n")
git("add", "-A")
git("commit", "-q", "-m", f"Add {s['twin']}")
tracked = [path for path in git("ls-files").splitlines() if path != p["junk"]]
print(json.dumps({"head": git("rev-parse", "HEAD"), "missing": len(missing), "wanted": sorted({*tracked, *missing})}))
