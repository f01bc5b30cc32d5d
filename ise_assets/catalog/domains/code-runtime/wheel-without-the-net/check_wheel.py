"""One wheel of the new version, with all modules and data, its RECORD right, and a build that makes the same again."""

import base64
import csv
import glob
import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import zipfile

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
pkg, new = p["pkg"], p["new"]
path = f"dist/{pkg}-{new}-py3-none-any.whl"
assert os.path.exists(path), f"there is no {path}, but {glob.glob('dist/*')}"


def look(path):
    with zipfile.ZipFile(path) as wheel:
        files = {name: wheel.read(name) for name in wheel.namelist()}
    info = f"{pkg}-{new}.dist-info"
    record = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[f"{info}/RECORD"].decode())) if row}
    assert set(record) == set(files), f"RECORD and contents differ: {sorted(set(record) ^ set(files))[:3]}"
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert name.endswith("/RECORD") or record[name] == [f"sha256={digest}", str(len(data))], (
            f"RECORD is wrong for {name}"
        )
    for source in glob.glob("**/*.*", root_dir=f"src/{pkg}", recursive=True):
        if "__pycache__" not in source:
            with open(f"src/{pkg}/{source}", "rb") as handle:
                assert files.get(f"{pkg}/{source}") == handle.read(), f"{source} is missing or another one in the wheel"
    assert f"Version: {new}\n".encode() in files[f"{info}/METADATA"], "METADATA tells another version"
    assert f'"{new}"'.encode() in files[f"{pkg}/__init__.py"], "__version__ is another one"


look(path)
with tempfile.TemporaryDirectory() as place:
    shutil.copytree("src", f"{place}/src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("build.py", "pyproject.toml"):
        shutil.copy(name, place)
    subprocess.run(["python3", "-B", "build.py"], cwd=place, check=True, capture_output=True)
    look(f"{place}/{path}")
