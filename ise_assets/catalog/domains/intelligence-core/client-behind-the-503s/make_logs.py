"""Writes three generations of gateway logs (one compressed, overlapping, with retries) and a pool log; prints the truths."""

import gzip
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
clients = p["clients"]
culprit, noisy = rng.sample(clients, 2)
shards = ["s1", "s2", "s3", "s4"]
sick = rng.choice(shards)
wanted = p["errors"]
requests = []


def rid():
    return "%06x" % rng.randrange(1 << 24)


for client in clients:
    # the noisy client retries each failed request, so that counting lines points at the wrong one
    failures = wanted if client == culprit else wanted // 2 if client == noisy else rng.randint(1, max(2, wanted // 4))
    tries = 4 if client == noisy else 1
    for _ in range(failures):
        one = rid()
        start = rng.randrange(0, 50000)
        requests += [(start + 9 * k, one, client, 503) for k in range(tries)]
    for _ in range(rng.randint(15, 30)):
        requests.append((rng.randrange(0, 50000), rid(), client, rng.choice([200, 200, 200, 201, 404, 500])))
requests.sort()
day = "%02d" % p["day"]


def stamp(second):
    return f"2026-02-{day}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


lines = [
    f"{stamp(second)} rid={one} client={client} route={rng.choice(p['routes'])} status={status} ms={rng.randint(4, 900)}"
    for second, one, client, status in requests
]
third = len(lines) // 3
oldest, middle, newest = lines[:third], lines[third - 3 : 2 * third], lines[2 * third - 4 :]
with open("gateway.log.2.gz", "wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as handle:
    handle.write(("\n".join(oldest) + "\n").encode())
for name, part in (("gateway.log.1", middle), ("gateway.log", newest)):
    with open(name, "w", encoding="utf-8") as handle:
        handle.write("\n".join(part) + "\n")

failed = {}
for second, one, client, status in requests:
    if status == 503:
        failed.setdefault(one, (second, client))
on_sick, total, pool = 0, 0, []
for number, (one, (second, client)) in enumerate(sorted(failed.items(), key=lambda item: (item[1], item[0]))):
    if client == culprit:
        total += 1
        if number % 7 == 3:
            continue  # the pool dropped the line: not every request id is in its log
        shard = sick if rng.random() < 0.8 else rng.choice(shards)
    else:
        shard = rng.choice([s for s in shards if s != sick])
    pool.append(f"{stamp(second)} pool WARN exhausted shard={shard} rid={one} waiting={rng.randint(3, 60)}")
    if rng.random() < 0.3:
        pool.append(f"{stamp(second)} pool INFO resized shard={rng.choice(shards)}")
with open("pool.log", "w", encoding="utf-8") as handle:
    handle.write("\n".join(pool) + "\n")
count = {}
for line in pool:
    if "rid=" in line:
        one = line.split("rid=")[1].split()[0]
        if failed[one][1] == culprit:
            shard = line.split("shard=")[1].split()[0]
            count[shard] = count.get(shard, 0) + 1
print(json.dumps({"client": culprit, "errors": total, "shard": max(sorted(count), key=lambda s: count[s]),
                  "waits": max(count.values())}))
