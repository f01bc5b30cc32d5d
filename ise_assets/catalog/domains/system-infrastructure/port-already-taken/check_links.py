"""Only the service that moved may have a new address."""

import json
import os

p = json.loads(os.environ["PARAMS"])
with open(f"{p['root']}/links.json", encoding="utf-8") as handle:
    links = {entry["name"]: entry["url"] for entry in json.load(handle)["services"]}
want = {name: f"http://{name}.{p['team']}.example/" for name in p["neighbours"]}
want[p["app"]] = f"http://127.0.0.1:{p['ports']['alt']}/health"
want[p["other"]] = f"http://127.0.0.1:{p['ports']['web']}/"
assert links == want, f"links are {links}"
