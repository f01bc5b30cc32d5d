"""The parcel and its list hold every file; the script does the same for another folder and label."""

import json
import os
import re
import subprocess
import tarfile
import tempfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def look(place, label, sizes, what):
    with tarfile.open(f"{place}/out/parcel.tar") as tar:
        got = {re.sub(r"^\./", "", m.name): m.size for m in tar.getmembers() if m.isfile()}
    assert got == sizes, f"{what}: the parcel differs in {sorted(set(got.items()) ^ set(sizes.items()))[:4]}"
    head, *lines = open(f"{place}/out/list.txt", encoding="utf-8").read().splitlines()
    assert head == f"label: {label}", f"{what}: the list begins with {head!r}"
    assert sorted(lines) == sorted(f"{size} {name}" for name, size in sizes.items()), (
        f"{what}: the list differs: {lines[:3]}"
    )


look(".", p["label"], truth["sizes"], "out/")
with tempfile.TemporaryDirectory() as place:
    sizes = {}
    os.makedirs(f"{place}/my folder")
    for number, name in enumerate(["-r", "a b  c", "[a-z]", "plain", "*", "ä ö", ".x y", "-l z", "q?"]):
        sizes[name] = number + 3
        with open(f"{place}/my folder/{name}", "w", encoding="utf-8") as handle:
            handle.write("y" * sizes[name])
    command = ["bash", os.path.abspath(p["script"]), "-l", "other  label *", "my folder"]
    subprocess.run(command, cwd=place, capture_output=True, timeout=20)
    look(place, "other  label *", sizes, "another folder")
