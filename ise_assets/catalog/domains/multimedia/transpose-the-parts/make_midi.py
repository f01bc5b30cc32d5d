"""Writes a format 1 MIDI file with voices in running status, lyrics and drums; prints what it becomes when transposed."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])


def number(n):
    out = [n & 127]
    while n := n >> 7:
        out.insert(0, n & 127 | 128)
    return bytes(out)


def meta(kind, body, delta=0):
    return number(delta) + bytes([255, kind]) + number(len(body)) + body


def track(body):
    body += meta(0x2F, b"")
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def voice(name, channel, low, count, move):
    body, status, started = meta(3, name.encode()) + number(0) + bytes([0xC0 | channel, rng.randrange(100)]), None, 0
    state = rng.getstate()
    for n in range(count):
        note = low + rng.randint(0, 12)
        for kind, delta, velocity in (
            (0x90, rng.choice([0, 60, 240, 480]), rng.randint(40, 120)),
            (rng.choice([0x80, 0x90]), 230, 0),
        ):
            now = kind | channel
            body += number(delta) + (b"" if now == status else bytes([now])) + bytes([note + move, velocity])
            status = now
        started += 1
        if n % 4 == 1:
            body += meta(5, rng.choice(["la", "né", "Sömmer-", "oh"]).encode())
            status = None
        if n % 5 == 3:
            body += number(10) + bytes([0xA0 | channel, note + move, 60])
            status = None
    rng.setstate(state)
    return body, started


names = rng.sample(["Sopran", "Alto", "Tenor", "Bass", "Melody", "Descant"], p["voices"])
plans = [(name, channel, rng.randint(52, 64), rng.randint(8, 20)) for channel, name in enumerate(names)]
tempo = (
    meta(3, b"Conductor") + meta(0x51, rng.randint(400000, 800000).to_bytes(3, "big")) + meta(0x58, b"\x04\x02\x18\x08")
)
drums, hits = meta(3, b"Drums"), rng.randint(6, 18)
for n in range(hits):
    drums += (
        number(240) + (b"\x99" if n == 0 else b"") + bytes([rng.choice([35, 38, 42]), 90]) + number(20) + bytes([38, 0])
    )
seed = rng.getstate()


def build(move):
    rng.setstate(seed)
    parts, counts = [], []
    for name, channel, low, count in plans:
        body, started = voice(name, channel, low, count, move)
        rng.random()
        parts.append(track(body))
        counts.append([name, str(started)])
    tracks = [track(tempo), *parts, track(drums)]
    return b"MThd" + (6).to_bytes(4, "big") + b"\0\x01" + len(tracks).to_bytes(2, "big") + b"\x01\xe0" + b"".join(
        tracks
    ), counts


data, counts = build(0)
with open(p["file"] + ".mid", "wb") as out:
    out.write(data)
moved, _ = build(p["steps"])
assert len(moved) == len(data)
notes = [b for a, b in zip(data, moved) if a != b]
rows = sorted([*counts, ["Drums", str(hits)]])
print(json.dumps({"moved": moved.hex(), "low": min(notes), "high": max(notes), "rows": rows}))
