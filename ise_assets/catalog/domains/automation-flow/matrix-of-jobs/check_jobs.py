"""All jobs, in order of name."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
with open(f"{p['root']}/jobs.json", encoding="utf-8") as handle:
    jobs = json.load(handle)
assert [job.get("name") for job in jobs] == [job["name"] for job in truth["jobs"]], f"{len(jobs)} jobs"
for got, right in zip(jobs, truth["jobs"], strict=True):
    assert got == right, f"{got} should be {right}"
print(len(jobs), "jobs")
