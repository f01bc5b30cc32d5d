"""Writes subnets (two overlaps, one with host bits) and hosts with strays, a double and reserved addresses."""

import collections
import ipaddress
import itertools
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
base = f"10.{p['octet']}"
cidrs = {"office": f"{base}.0.0/24", "machines": f"{base}.1.0/27", "guests": f"{base}.2.0/25", "cameras": f"{base}.2.64/26", "phones": f"{base}.3.0/24", "lab": f"{base}.3.128/28"}
shown = {**cidrs, "guests": f"{base}.2.9/25"}
nets = {name: ipaddress.ip_network(cidr) for name, cidr in cidrs.items()}
gateways = {name: net[1] if rng.random() < 0.5 or name == "machines" else net[-2] for name, net in nets.items()}
names = rng.sample(list(nets), len(nets))
Path("subnets.csv").write_text("name,cidr,gateway\n" + "".join(f"{n},{shown[n]}{' ' if rng.random() < 0.3 else ''},{gateways[n]}\n" for n in names), "utf-8")
hosts, used = [], set()
words = ["till", "desk", "door", "cam", "scale", "lamp", "press", "relay", "panel", "clock", "pump", "gate"]


def add(address):
    hosts.append((f"{rng.choice(words)}-{len(hosts) + 1}", str(address)))
    used.add(address)


machines = nets["machines"]
for n in range(2, 2 + rng.randint(2, 5)):  # a run of taken addresses after the gateway, then a hole
    add(machines[n])
hole = machines[len(hosts) + 2]
while len(hosts) < p["hosts"] - 6:
    address = rng.choice(list(nets[rng.choice(names)].hosts()))
    if address not in used and address not in gateways.values() and address != hole and not any(address in (n[0], n[-1]) for n in nets.values()):
        add(address)
for octet in rng.sample(range(40, 200), 2):
    add(ipaddress.ip_address(f"{base}.{octet}.7"))
add(nets["office"].broadcast_address)
add(gateways["phones"])
hosts.append((f"spare-{len(hosts)}", hosts[0][1]))
rng.shuffle(hosts)
Path("hosts.csv").write_text("host,address\n" + "".join(f"{h},{a}\n" for h, a in hosts), "utf-8")
rows = [("overlap", "+".join(sorted(pair))) for pair in itertools.combinations(nets, 2) if nets[pair[0]].overlaps(nets[pair[1]])]
count = collections.Counter(a for _, a in hosts)
rows += [("double", a) for a, n in count.items() if n > 1]
for host, text in hosts:
    address = ipaddress.ip_address(text)
    homes = [n for n in nets if address in nets[n]]
    if not homes:
        rows.append(("stray", host))
    elif any(address in (nets[n][0], nets[n][-1], gateways[n]) for n in homes):
        rows.append(("reserved", host))
free = next(a for a in machines.hosts() if str(a) not in count and a != gateways["machines"])
kinds = collections.Counter(kind for kind, _ in rows)
print(json.dumps({"rows": sorted(rows), "free": str(free), "hosts": hosts, "overlaps": kinds["overlap"], "strays": kinds["stray"]}))
