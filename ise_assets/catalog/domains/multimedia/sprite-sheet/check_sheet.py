"""The sheet shows every picture at its place and nothing but the background elsewhere."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def load(path):
    data = open(path, "rb").read()
    found = re.match(rb"(P[36])\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*255\s", data)
    assert found, f"{path} is no PPM: {data[:20]!r}"
    body = data[found.end() :] if found[1] == b"P6" else bytes(map(int, data[found.end() :].split()))
    return found[1], int(found[2]), int(found[3]), body


kind, width, height, body = load(f"{p['root']}/{p['sheet']}.ppm")
assert kind == b"P6" and (width, height) == (truth["width"], truth["height"]), (kind, width, height)
want = bytearray(bytes(map(int, p["back"].split())) * (width * height))
for name, place in truth["atlas"].items():
    _, w, h, pixels = load(f"{p['root']}/{name}.ppm")
    for y in range(h):
        at = 3 * (y * width + place["x"])
        want[at : at + 3 * w] = pixels[3 * w * y : 3 * w * (y + 1)]
assert body == bytes(want), (
    f"pixels differ from byte {next((i for i, (a, b) in enumerate(zip(body, want)) if a != b), len(body))}"
)
