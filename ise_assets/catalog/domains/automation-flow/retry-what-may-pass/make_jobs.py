"""Writes the rules, a wrapper that never gives up, and jobs: good ones, one that passes at a later try, one that cannot pass."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
bad = rng.choice([n for n in (2, 3, 64, 65, 78) if n != p["code"]])
Path("jobs").mkdir()
Path("RULES.md").write_text(
    f"# Repeating jobs\n\n- Only exit code {p['code']} may pass by itself: try again then, {p['tries']} tries in all.\n"
    "- Every other failure is final: hand its exit code on at once.\n"
    "- Out of tries: hand on the last exit code.\n"
    "- Each failed try is one line on stderr that begins with `try`. Nothing of ours goes to stdout.\n"
    "- Between tries wait ${RETRY_PAUSE:-0.1} seconds.\n",
    "utf-8",
)
Path("retry.sh").write_text("#!/usr/bin/env bash\n# retry.sh COMMAND [ARGUMENT...]\nwhile ! $*; do\n  sleep 0.2\ndone\n", "utf-8")
rows = []
for name in [*kind["ok"], kind["flaky"], kind["broken"]]:
    if name == kind["flaky"]:
        state = f'"${{TMPDIR:-/tmp}}/.{rng.randrange(10**6)}-tries"'
        body = f'n=$(cat {state} 2>/dev/null || echo 0)\nn=$((n + 1))\necho $n > {state}\n[ $n -gt {p["needs"] - 1} ] || {{ echo "busy, come back" >&2; exit {p["code"]}; }}\nrm {state}\necho done\n'
        rows.append([name, p["needs"], 0])
    elif name == kind["broken"]:
        body = f'echo "{rng.choice(["no such account", "wrong format", "not permitted"])}" >&2\nexit {bad}\n'
        rows.append([name, 1, bad])
    else:
        body = "echo done\n"
        rows.append([name, 1, 0])
    Path("jobs", f"{name}.sh").write_text(f"# {kind['what']}: {name}\n{body}", "utf-8")
print(json.dumps({"rows": sorted([n, str(t), str(c)] for n, t, c in rows), "bad": bad}))
