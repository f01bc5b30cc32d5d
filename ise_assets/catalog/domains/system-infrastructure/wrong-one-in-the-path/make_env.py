"""Makes folders with several versions of two commands, and an environment file whose path is in a bad order."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
tool, other, folders = p["tool"], p["other"], p["folders"]
root = Path(p["root"])
first, second, third, fourth = folders
versions = {first: f"{p['old']}.{rng.randrange(9)}", second: f"{p['new']}.{rng.randrange(9)}", third: f"{p['new'] - 1}.{rng.randrange(10, 20)}"}
others = {first: f"2.{rng.randrange(9)}", third: f"3.{rng.randrange(9)}"}


def command(folder, name, version):
    path = root / folder / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/bash\necho "{name} {version}"\n', "utf-8")
    path.chmod(0o755)


for folder, version in versions.items():
    command(folder, tool, version)
for folder, version in others.items():
    command(folder, other, version)
command(fourth, "helper", "1.0")
keep = first  # what runs today
order = [f"$HERE/{first}/bin", f"$HERE/gone-{rng.randrange(9)}/bin", f"$HERE/{third}/bin", f"$HERE/{first}/bin", f"$HERE/{second}/bin", f"$HERE/{fourth}/bin"]
(root / "env.sh").write_text(
    f'# source this file\nHERE="{root}"\nexport EDITOR=vi\n'
    f'PATH="{":".join(order[:3])}:/usr/bin:/bin"\nexport PATH="$PATH:{":".join(order[3:])}"\n',
    "utf-8",
)
print(json.dumps({"folder": f"{first}/bin", "new": versions[second], "keep": others[keep], "folders": [f"{root}/{f}/bin" for f in folders]}))
