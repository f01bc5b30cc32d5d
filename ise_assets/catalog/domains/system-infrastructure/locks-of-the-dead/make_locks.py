"""Makes locks: two of jobs that will run (they write their own), some of processes that are gone, one whose number is another's."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
jobs = p["kind"]["jobs"]
locks = Path("locks")
locks.mkdir()
Path("README").write_text(
    "Each job writes locks/JOB.lock when it starts (pid=..., since=...) and removes it when it ends.\n"
    "A job is started as: python3 keep.py JOB\n"
    "A lock is stale when no process of that number runs that job. Numbers are used again after a while.\n",
    "utf-8",
)
Path("keep.py").write_text(
    '"""A job: holds its lock and listens, so that others see that it is there."""\n\n'
    "import json\nimport os\nimport pathlib\nimport socket\nimport sys\nimport time\n\n"
    f"PORTS = {json.dumps({jobs[0]: p['ports']['first'], jobs[1]: p['ports']['second']})}\n"
    "job = sys.argv[1]\n"
    'pathlib.Path("locks", job + ".lock").write_text("pid=%d\\nsince=2026-05-04 06:00\\n" % os.getpid())\n'
    "server = socket.create_server((\"127.0.0.1\", PORTS[job]))\n"
    "while True:\n    time.sleep(3600)\n",
    "utf-8",
)
dead = jobs[2 : 2 + p["dead"]]
for job in dead:
    pid = 1 if job == dead[-1] else rng.randint(20000, 30000)  # the last one's number is in use, by another program
    (locks / f"{job}.lock").write_text(f"pid={pid}\nsince=2026-05-0{rng.randint(1, 3)} 0{rng.randint(1, 9)}:00\n")
print(json.dumps({"gone": dead[0], "reused": dead[-1], "dead": dead}))
