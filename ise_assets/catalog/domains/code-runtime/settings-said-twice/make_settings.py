"""A program with a strict settings parser, and settings with doubled options, a BOM and a percent sign."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s = p["subject"]
others = rng.sample(["volume", "offset", "backlight", "retries", "interval", "margin", "tempo"], 4)
values = {name: str(rng.randint(2, 90)) for name in others}
double = others[0]
old_value = str(int(values[double]) + rng.randint(1, 9))
title = f"{s['what']} at {rng.randint(40, 100)}% of its power"


def put(path, text):
    with open(path, "w", encoding="utf-8", newline="") as handle:
        handle.write(text)


settings = f"""\ufeff# settings of the {s["what"]}
[{s["section"]}]
title = {title}
{s["key"]} = {p["first"]}
{double} = {old_value}
{others[1]}: {values[others[1]]}
{s["key"].capitalize()} = {p["second"]}

[keep]
# how long the log is kept
days = {rng.randint(5, 60)}
{double} = {rng.randint(100, 200)}
{others[2]} = {values[others[2]]}

[display]
{others[3]} = {values[others[3]]}
name = {s["section"]} {rng.randint(1, 9)}
"""
lines = settings.split("\n")
at = lines.index(f"{others[1]}: {values[others[1]]}")
lines.insert(at + 1, f"{double.upper()} = {values[double]}")
put(s["file"], "\n".join(lines))
put(
    s["prog"],
    f'''"""Controls the {s["what"]}; --show prints its settings."""

import configparser
import sys

settings = configparser.ConfigParser()
with open("{s["file"]}", encoding="utf-8") as handle:
    settings.read_file(handle)
if "--show" in sys.argv:
    for section in settings.sections():
        for name, value in settings[section].items():
            print("%s.%s = %s" % (section, name, value))
''',
)
put(
    "NOTES.txt",
    f"The old {s['prog']} read every line, names in any case, and of a name that\nstood twice in a section it took the last one. Sections are separate.\n",
)
wanted = {}
section = ""
for line in lines:
    if line.startswith("["):
        section = line[1:-1]
    elif "=" in line or (":" in line and not line.startswith(("#", "\ufeff#"))):
        mark = "=" if "=" in line else ":"
        name, value = (part.strip() for part in line.split(mark, 1))
        wanted[f"{section}.{name.lower()}"] = value
wanted[f"{s['section']}.{s['key'].lower()}"] = str(p["value"])
print(json.dumps({"wanted": wanted, "double": double}))
