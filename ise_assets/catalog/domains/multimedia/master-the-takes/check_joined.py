"""The programme is the mastered takes by name, with the pause between them."""

import json
import os
import wave

p = json.loads(os.environ["PARAMS"])
parts = []
for name in sorted(p["takes"]):
    with wave.open(f"{p['root']}/mastered/{name}.wav") as take:
        parts.append(take.readframes(take.getnframes()))
want = bytes(2 * (p["rate"] * p["gap"] // 1000)).join(parts)
with wave.open(f"{p['root']}/programme.wav") as done:
    assert done.getframerate() == p["rate"] and done.getnchannels() == 1, str(done.getparams())
    got = done.readframes(done.getnframes())
assert got == want, f"programme has {len(got) // 2} samples, expected {len(want) // 2}, or another order"
