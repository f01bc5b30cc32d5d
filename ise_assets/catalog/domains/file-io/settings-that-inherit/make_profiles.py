"""Writes INI files whose profiles extend one another over files, with mixed case, spaces and comments."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
number, *switches, count, word, place = p["kind"]["options"]
switches = [switches[0], switches[1]] if len(switches) > 1 else switches
words = ["amber", "north", "cedar", "quiet", "harbour", "copper", "lantern", "early", "second", "broad", "inner", "steady"]
names = rng.sample(words, p["profiles"])


def value(key):
    if key in (number, count):
        return str(rng.randint(1, 240))
    return rng.choice(["yes", "no", "on", "off", "Yes", "OFF"]) if key in switches else rng.choice(words) + rng.choice(["", " two", " äst"])


keys = [number, *switches, count, word, place]
own, parent = {}, {}
chain = names[:5]  # the longest line
for n, name in enumerate(names):
    own[name] = {key: value(key) for key in (keys if n == 0 else rng.sample(keys, rng.randint(1, 3)))}
    if 0 < n < 5:
        parent[name] = names[n - 1]
    elif n >= 5:
        parent[name] = rng.choice(names[:3])
files = {"base": names[:2], "house": names[2:5:2] + names[5::2], "more": names[3:4] + names[6::2]}
for file, members in files.items():
    lines = [f"; {file} profiles", ""]
    for name in members:
        lines.append(f"[{name}]")
        rows = [(key, text) for key, text in own[name].items()] + ([("extends", parent[name])] if name in parent else [])
        rng.shuffle(rows)
        lines += [f"{rng.choice([key, key.capitalize()]) if key != 'extends' else key}{rng.choice([' = ', '='])}{text}" for key, text in rows]
        lines.append("")
    with open(f"{file}.ini", "w", encoding="utf-8") as handle:
        handle.write("\n".join(lines) + "\n")


def typed(text):
    if text.lower() in ("yes", "on", "no", "off"):
        return text.lower() in ("yes", "on")
    return int(text) if text.isdigit() else text


def full(name):
    return {**(full(parent[name]) if name in parent else {}), **{key: typed(text) for key, text in own[name].items()}}


print(json.dumps({"profiles": {name: full(name) for name in names}, "deepest": chain[-1]}))
