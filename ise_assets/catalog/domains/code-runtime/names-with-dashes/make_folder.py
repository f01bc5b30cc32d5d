"""A packing script that quotes nothing, and a folder of files with ordinary and odd names."""

import json
import os
import random
import subprocess
import tempfile

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
ext = p["subject"]["ext"]
script = """#!/bin/bash
# packs a folder: -l LABEL FOLDER; writes out/parcel.tar and out/list.txt
label=unnamed
while [ $# -gt 1 ]; do
  case $1 in
  -l) label=$2; shift 2 ;;
  *) echo "usage: $0 -l LABEL FOLDER" >&2; exit 2 ;;
  esac
done
folder=$1
mkdir -p out
echo label: $label > out/list.txt
rm -f out/parcel.tar
for name in $(ls $folder); do
  size=$(wc -c < $folder/$name 2> /dev/null) || continue
  echo $size $name >> out/list.txt
  tar -rf out/parcel.tar -C $folder $name 2> /dev/null
done
"""
with open(p["script"], "w", encoding="utf-8") as handle:
    handle.write(script)
os.chmod(p["script"], 0o755)
os.makedirs("in")
words = ["north", "old", "garden", "room", "draft", "tower", "copy", "river", "market", "winter", "blue", "second"]
names = [f"{word}{rng.randint(1, 99)}.{ext}" for word in rng.sample(words, p["plain"])]
odd = ["garden party.{}", "--final.{}", "-a.{}", "plan [new].{}", "two  spaces.{}", "Größe 3.{}", "(copy) of it.{}", "what if?.{}",
       "star * shine.{}", "it's here.{}", "50% off.{}"]  # fmt: skip
chosen = odd[:2] + rng.sample(odd[2:], p["odd"] - 3)
names += [name.format(ext) for name in chosen] + [f".hidden.{ext}"]
for name in names:
    with open(f"in/{name}", "w", encoding="utf-8") as handle:
        handle.write("x" * rng.randint(10, 400) + "\n")
with tempfile.TemporaryDirectory() as place:
    subprocess.run(["cp", "-r", "in", place], check=True)
    subprocess.run(["bash", os.path.abspath(p["script"]), "-l", "x", "in"], cwd=place, capture_output=True)
    listed = subprocess.run(
        ["tar", "-tf", f"{place}/out/parcel.tar"], capture_output=True, text=True
    ).stdout.splitlines()
sizes = {name: os.path.getsize(f"in/{name}") for name in names}
print(json.dumps({"lost": len(names) - len(listed), "sizes": sizes}))
