"""The wrapper's behaviour, case by case."""

import json
import os
import subprocess
import tempfile

p = json.loads(os.environ["PARAMS"])
wrapper = f"{p['root']}/retry.sh"


def run(*command):
    ran = subprocess.run(
        ["bash", wrapper, *command], capture_output=True, text=True, timeout=20, env={**os.environ, "RETRY_PAUSE": "0.01"}
    )
    return ran.returncode, ran.stdout, ran.stderr


with tempfile.TemporaryDirectory() as scratch:
    count = f"{scratch}/count"
    step = f'echo x >> {count}; exit "$0"'
    for code, tries in ((p["code"], p["tries"]), (1, 1), (77, 1), (0, 1)):
        open(count, "w").close()
        ended, _, said = run("bash", "-c", step, str(code))
        ran = len(open(count).read().split())
        assert ended == code, f"ends with {ended} where the command ended with {code}"
        assert ran == tries, f"exit code {code}: {ran} tries, expected {tries}"
        failed = sum(line.startswith("try") for line in said.splitlines())
        assert failed == (tries if code else 0), f"exit code {code}: {failed} lines on stderr"
    _, out, _ = run("printf", "[%s]", "two words", "*", "")
    assert out == "[two words][*][]", f"arguments arrive as {out}"
print("keeps to the rules")
