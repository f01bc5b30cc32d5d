"""The transposed file is that of the seed, byte for byte."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
got, want = open(f"{p['root']}/{p['file']}_transposed.mid", "rb").read(), bytes.fromhex(truth["moved"])
assert got == want, (
    f"{len(got)} bytes, expected {len(want)}; first difference at {next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), -1)}"
)
