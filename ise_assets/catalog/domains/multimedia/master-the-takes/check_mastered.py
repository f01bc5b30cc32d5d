"""Masters every take anew from the original and compares sample by sample; rounding may differ by two."""

import array
import glob
import json
import os
import wave

p = json.loads(os.environ["PARAMS"])
want = sorted(p["takes"])
got = sorted(os.path.basename(path)[:-4] for path in glob.glob(glob.escape(p["root"]) + "/mastered/*.wav") if not path.endswith("/programme.wav"))
assert got == want, f"mastered holds {got}, expected {want}"
for name in want:
    with wave.open(f"{p['root']}/takes/{name}.wav") as take:
        data = array.array("h", take.readframes(take.getnframes()))
        if take.getnchannels() == 2:
            data = [(left + right) / 2 for left, right in zip(data[::2], data[1::2])]
    loud = [i for i, value in enumerate(data) if abs(value) >= p["floor"]]
    cut = data[loud[0] : loud[-1] + 1]
    factor = p["peak"] / max(abs(value) for value in cut)
    with wave.open(f"{p['root']}/mastered/{name}.wav") as done:
        assert done.getnchannels() == 1, f"{name} is not mono"
        assert (done.getsampwidth(), done.getframerate()) == (2, p["rate"]), f"{name}: {done.getparams()}"
        now = array.array("h", done.readframes(done.getnframes()))
    assert len(now) == len(cut), f"{name} has {len(now)} samples, expected {len(cut)}"
    worst = max(abs(a - b * factor) for a, b in zip(now, cut))
    assert worst <= 2, f"{name} is off by up to {worst:.0f}"
