"""Writes an ordered list of rules, some wholly covered by an earlier one, and packets."""

import ipaddress
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
n = p["net"]
net = lambda a, b=24: f"10.{n}.{a}.0/{b}"
a, b, c, d = rng.sample(range(1, 60), 4)
rules = [
    ("deny", "tcp", net(a), "any", "22"),
    ("allow", "tcp", net(a), "any", "20-80"),
    ("allow", "udp", "any", f"10.{n}.{b}.53/32", "53"),
    ("deny", "any", net(c), net(b), "any"),
    ("allow", "tcp", net(0, 16), net(d), "443-8443"),
]
covered = [
    ("allow", "tcp", f"10.{n}.{a}.{rng.randrange(2, 250)}/32", "any", "22"),  # by 1, opposite
    ("allow", "tcp", f"10.{n}.{a}.128/25", net(d), f"{rng.randrange(30, 50)}-{rng.randrange(51, 80)}"),  # by 2
    ("allow", "udp", net(c), f"10.{n}.{b}.{rng.randrange(54, 250)}/32", "any"),  # by 4, opposite
    ("allow", "tcp", net(d), f"10.{n}.{d}.{rng.randrange(2, 250)}/32", "8080"),  # by 5
]
partly = [
    ("deny", "any", net(a), "any", "22-25"),
    ("allow", "any", net(0, 16), f"10.{n}.{b}.53/32", "53"),
    ("deny", "tcp", net(c, 23) if c % 2 == 0 else net(c - 1, 23), net(b), "any"),
    ("allow", "tcp", net(0, 16), net(d), "400-500"),
    ("allow", "udp", net(a), net(d), "5060-5070"),
    ("deny", "udp", "any", "any", "137-139"),
]
rest = rng.sample(covered, rng.randint(3, 4)) + rng.sample(partly, p["extra"])
rng.shuffle(rest)
rules += rest
if covered[0] not in rules and covered[2] not in rules:
    rules.append(covered[0])


def span(text):
    if text == "any":
        return (0, 2**32 - 1)
    found = ipaddress.ip_network(text)
    return (int(found[0]), int(found[-1]))


def ports(text):
    if text == "any":
        return (0, 65535)
    low, _, high = text.partition("-")
    return (int(low), int(high or low))


known = [(str(i), r[0], r[1], span(r[2]), span(r[3]), ports(r[4])) for i, r in enumerate(rules, 1)]
dead = []
for i, rule in enumerate(known):
    for old in known[:i]:
        if old[2] in ("any", rule[2]) and all(x[0] <= y[0] and y[1] <= x[1] for x, y in zip(old[3:], rule[3:], strict=True)):
            dead.append([rule[0], old[0], old[1] != rule[1]])
            break
default = rng.choice(["deny", "allow"])
lines = ["# the first rule that matches decides"]
lines += [f"{i} {r[0]} {r[1]} from {r[2]} to {r[3]} port {r[4]}" for i, r in enumerate(rules, 1)]
lines += [f"default {default}"]
Path("rules.txt").write_text("\n".join(lines) + "\n", "utf-8")
packets, verdicts = [], []
shapes = [
    ("tcp", f"10.{n}.{a}.9", "192.0.2.7", 22),
    ("tcp", f"10.{n}.{a}.200", f"10.{n}.{d}.3", 40),
    ("udp", f"10.{n}.{c}.4", f"10.{n}.{b}.53", 53),
    ("tcp", f"10.{n}.{d}.5", f"10.{n}.{d}.6", 8080),
    ("udp", "198.51.100.4", f"10.{n}.{d}.6", 138),
    ("tcp", "198.51.100.4", f"10.{n}.{d}.6", 8080),
    ("tcp", f"10.{n}.{c}.77", f"10.{n}.{b}.8", 99),
]
rng.shuffle(shapes)
for i, (protocol, source, target, port) in enumerate(shapes, 1):
    point = (int(ipaddress.ip_address(source)), int(ipaddress.ip_address(target)), port)
    hit = next((r for r in known if r[2] in ("any", protocol) and all(x <= v <= y for (x, y), v in zip(r[3:], point, strict=True))), ("default", default))
    packets.append(f"p{i},{protocol},{source},{target},{port}")
    verdicts.append([f"p{i}", hit[0], hit[1]])
Path("packets.csv").write_text("packet,protocol,from,to,port\n" + "\n".join(packets) + "\n", "utf-8")
opposite = next(r[0] for r in dead if r[2])
print(json.dumps({"dead": [r[:2] for r in dead], "count": len(dead), "opposite": opposite, "verdicts": verdicts}))
