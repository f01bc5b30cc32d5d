"""Writes records of which some are renumbered, and notes on how far it went, the rules, and a decision about a double number."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
old, new = kind["old"], kind["new"]
numbers = sorted(rng.sample(range(8, 480), p["records"] - 1))
double = rng.choice(numbers[-4:])
done = numbers[: rng.randint(4, len(numbers) - 6)]
second = f"{new}-{double:04d}-b"
records, names = {}, set()
for number, copy in [*((n, False) for n in numbers), (double, True)]:
    before, after = f"{old}{number:03d}", f"{new}-{number:04d}"
    text = f"title: {rng.choice(kind['words'])}\nnumber: {{}}\nyear: {rng.randrange(1880, 1960)}\n" + ("copy: yes\n" if copy else "")
    name = f"{rng.randrange(16**4):04x}.txt"
    while name in names:
        name = f"{rng.randrange(16**4):04x}.txt"
    names.add(name)
    final = text.format(f"{second if copy else after}\nformer: {before}")
    records[name] = final
    Path(name).write_text(final if number in done else text.format(before), "utf-8")
folder = Path(p["home"], "memory", kind["slug"])
folder.mkdir(parents=True)
half = len(done) // 2
sessions = (
    f"# Sessions: renumbering the {kind['what']}\n\n"
    f"Rules: {old}NNN becomes {new}-NNNN, four digits with zeros in front. The old number goes into a line `former: OLD` right below. "
    "What has a former number is done and is never touched again.\n\n"
    "Each session ends with a line: `- DATE: N renumbered, stopped at NUMBER` or `- DATE: N renumbered, finished`.\n\n"
    f"- 2026-05-04: {half} renumbered, stopped at {old}{done[half - 1]:03d}\n"
    f"- 2026-05-11: {len(done) - half} renumbered, stopped at {old}{done[-1]:03d}\n"
)
decisions = (
    f"# Decisions about the {kind['what']}\n\n"
    f"- 2026-05-11: put off: two records have the number {old}{double:03d}, one of them is a copy.\n"
    f"- 2026-05-14: decided: the one without `copy: yes` is treated like all others, its number {old}{double:03d} stays the base; the copy, the second one gets {second}.\n"
)
(folder / "sessions.md").write_text(sessions, "utf-8")
(folder / "decisions.md").write_text(decisions.replace("its number", "the number"), "utf-8")
left = len(records) - len(done)
print(json.dumps({"records": records, "left": left, "note": f"{sessions}- 2026-05-20: {left} renumbered, finished\n"}))
