"""Every scan is where its own metadata says, with its bytes untouched: judged by the files alone."""

import json
import os
import struct
import zlib

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def texts(path):
    data, at, found = open(path, "rb").read(), 8, {}
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path} is no PNG"
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0], f"{path}: CRC"
        if kind == b"tEXt":
            key, value = body.split(b"\0", 1)
            found[key.decode("latin-1")] = value.decode("latin-1")
        at += 12 + size
    return found


rest = sorted(name for name in os.listdir(p["root"]) if name.endswith(".png"))
assert rest == sorted([truth["nodate"] + ".png", truth["ppm"] + ".png"]), f"left in place: {rest}"
folder = p["root"] + "/" + p["target"]
names = sorted(os.listdir(folder))
groups = {}
for name in names:
    about = texts(f"{folder}/{name}")
    assert about.get("Software") == "flatbed 2.1", f"{name} is not one of the scans"
    day, time = about["Creation Time"].split(" ")
    groups.setdefault((day.replace(":", "-"), about["Location"]), []).append(time)
want = sorted(f"{day}_{place}_{n}.png" for (day, place), times in groups.items() for n in range(1, len(times) + 1))
assert len(names) == p["scans"], f"{len(names)} files, expected {p['scans']}: {names}"
assert names == want, f"names are {names}, expected {want}"
for (day, place), times in groups.items():
    for number, time in enumerate(sorted(times), 1):
        about = texts(f"{folder}/{day}_{place}_{number}.png")
        assert about["Creation Time"].endswith(time), f"{day}_{place}: number {number} should be the one of {time}"
