"""Every file has the mode that the policy gives it."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
wrong = {
    name: oct(os.stat(f"{p['root']}/{p['tree']}/{name}").st_mode & 0o7777)[2:]
    for name, mode in truth["modes"].items()
    if os.stat(f"{p['root']}/{p['tree']}/{name}").st_mode & 0o7777 != int(mode, 8)
}
assert not wrong, f"still wrong: {wrong}"
