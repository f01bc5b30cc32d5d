"""Each profile has exactly its own and inherited settings, typed."""

import json
import os
from pathlib import Path

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
found = json.loads(Path(p["root"], "profiles.json").read_text("utf-8"))
assert found.keys() == truth["profiles"].keys(), f"profiles {sorted(found.keys() ^ truth['profiles'].keys())}"
for name, settings in truth["profiles"].items():
    got = {key.lower(): value for key, value in found[name].items()}
    for key in settings.keys() | got.keys():
        same = type(got.get(key)) is type(settings.get(key)) and got.get(key) == settings.get(key)
        assert same, f"{name}.{key} is {got.get(key)!r}, expected {settings.get(key)!r}"
print(len(found), "profiles are right")
