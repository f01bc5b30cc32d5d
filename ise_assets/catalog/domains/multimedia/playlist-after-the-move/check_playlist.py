"""The playlist is that of the seed, in UTF-8 with LF; a leading ./ and blank lines are accepted."""

import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
data = open(f"{p['root']}/{p['file']}.m3u8", "rb").read()
assert b"\r" not in data and not data.startswith(b"\xef\xbb\xbf"), "CR or BOM"
lines = [line.removeprefix("./") for line in data.decode("utf-8").split("\n") if line.strip()]
assert lines == truth["want"], next(((a, b) for a, b in zip(lines, truth["want"]) if a != b), f"{len(lines)} lines")
