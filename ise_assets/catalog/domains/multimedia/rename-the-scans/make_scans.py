"""Writes PNG scans with text chunks: most tell when and where, two share a day, one has no date, one is a PPM in disguise."""

import json
import os
import random
import struct
import zlib

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def pixels(width, height):
    a, b, c = (rng.randint(1, 9) for _ in "abc")
    return [bytes((x * a + y * b + c * k) % 256 for x in range(width) for k in range(3)) for y in range(height)]


names = ["%s %04d" % (p["prefix"], n) for n in sorted(rng.sample(range(1, 999), p["scans"] + 2))]
nodate, ppm = rng.sample(names, 2)
dated = [name for name in names if name not in (nodate, ppm)]
days = ["%d:%02d:%02d" % (p["year"], rng.randint(1, 12), rng.randint(1, 28)) for _ in dated]
first, twin = rng.sample(range(len(dated)), 2)
days[twin] = days[first]
places = {name: rng.choice(p["places"]) for name in names}
places[dated[twin]] = places[dated[first]]
times = rng.sample(range(8 * 60, 20 * 60), len(dated))
when = {n: "%s %02d:%02d:00" % (d, t // 60, t % 60) for n, d, t in zip(dated, days, times)}
for name in names:
    width, height = rng.randint(12, 60), rng.randint(12, 60)
    rows = pixels(width, height)
    with open(name + ".png", "wb") as out:
        if name == ppm:
            out.write(b"P6\n%d %d\n255\n" % (width, height) + b"".join(rows))
            continue
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
        out.write(chunk(b"tEXt", b"Software\0flatbed 2.1") + chunk(b"tEXt", b"Location\0" + places[name].encode("latin-1")))
        if name in when:
            out.write(chunk(b"tEXt", b"Creation Time\0" + when[name].encode()))
        out.write(chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b""))
print(json.dumps({"nodate": nodate, "ppm": ppm}))
