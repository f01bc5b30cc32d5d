"""Modules with names in several encodings: cp1252 undeclared, UTF-8 twice, Latin-1 declared, and proper UTF-8."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
words = rng.sample(p["subject"]["words"], 8)
modules = rng.sample(["north", "south", "east", "west", "upper", "lower", "inner", "outer"], p["broken"] + 3)
broken, twice, fine = sorted(modules[: p["broken"]]), modules[p["broken"]], modules[p["broken"] + 1 :]


def put(path, data):
    with open(path, "wb") as handle:
        handle.write(data)


expected = {}


def module(name, encoding, head=""):
    chosen = rng.sample(words, 2)
    # a dash and a euro sign tell cp1252 from Latin-1
    dash = "–" if encoding != "latin-1" else "-"
    items = [f"{word} {dash} {rng.randint(2, 60)} {'€' if encoding != 'latin-1' else 'EUR'}" for word in chosen]
    body = "".join(f'    "{item}",\n' for item in items)
    expected[name] = items
    return f'{head}"""{name}, {p["subject"]["things"]} of {chosen[0]}."""\n\nNAMES = [\n{body}]\n'


for name in broken:
    put(f"{name}.py", module(name, "cp1252").encode("cp1252"))
put(
    f"{twice}.py",
    module(twice, "utf-8").encode("utf-8").decode("cp1252", "surrogateescape").encode("utf-8", "surrogateescape"),
)
for name in fine:
    put(f"{name}.py", module(name, "utf-8").encode("utf-8"))
put("legacy.py", module("legacy", "latin-1", "# -*- coding: latin-1 -*-\n").encode("latin-1"))
names = sorted(expected)
put(
    "main.py",
    f'''"""Lists {p["subject"]["things"]}: module;name."""
import importlib

for module in {names!r}:
    for name in importlib.import_module(module).NAMES:
        print(f"{{module}};{{name}}")
'''.encode(),
)
output = "".join(f"{name};{item}\n" for name in names for item in expected[name])
good = {name: open(f"{name}.py", encoding="utf-8").read() for name in fine}
print(
    json.dumps(
        {
            "output": output,
            "first": f"{broken[0]}.py",
            "twice": f"{twice}.py",
            "good": good,
            "all": ", ".join(f"{n}.py" for n in broken),
        }
    )
)
