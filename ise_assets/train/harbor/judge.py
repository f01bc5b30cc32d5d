"""Decides on the state that an agent left: the end of `tests/judge.py`, whose beginning is the workspaces' checker.

It runs inside the task's container with nothing but the standard library: `judge.py REPLY REPORT` prints 1 when every check and
guard of `checks.json` holds, else 0, and writes what was seen of each to REPORT.
"""

import json
import os
import re
import sys


def judged(checks, reply):
    """Each check with whether it holds and why; `one` is the checker's."""
    for check in checks:
        try:
            if check["kind"] == "reply":
                missing = [p for p in check["mentions"] if not re.search(p, reply, re.IGNORECASE | re.MULTILINE)]
                held, evidence = not missing, "not said: " + ", ".join(missing) if missing else "said"
            else:
                held, evidence, _ = one(check)  # noqa: F821
        except Exception as error:  # whatever an agent left behind must fail its own check, not the others
            held, evidence = False, "%s: %s" % (type(error).__name__, error)
        yield {"name": check["name"], "held": bool(held), "evidence": str(evidence)[:500]}


def decide(reply_path, report_path):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "checks.json"), encoding="utf-8") as handle:
        checks = json.load(handle)
    try:
        with open(reply_path, encoding="utf-8", errors="replace") as handle:
            reply = handle.read(1_000_000)
    except OSError:
        reply = ""
    report = list(judged(checks, reply))
    with open(report_path, "w", encoding="utf-8") as handle:
        json.dump(report, handle, ensure_ascii=False, indent=1)
    print(int(bool(report) and all(check["held"] for check in report)))


if __name__ == "__main__":
    decide(sys.argv[1], sys.argv[2])
