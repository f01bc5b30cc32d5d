"""A package with a build script of its own whose data are left out, and an old version unpacked in a lib folder."""

import base64
import hashlib
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
pkg, items = p["pkg"], p["subject"]["words"]
site = f"{p['where']}/lib"


def put(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


put("pyproject.toml", f'''[build-system]
requires = []
build-backend = "build"
backend-path = ["."]

[project]
name = "{pkg}"
version = "{p["old"]}"
description = "All about {p["subject"]["data"]}"

[tool.pack]
include = ["*.py", "data/*.jsn"]
''')  # fmt: skip
put(
    "build.py",
    '''"""Builds a wheel from src/ into dist/, with nothing but the standard library."""

import base64
import csv
import hashlib
import io
import pathlib
import sys
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open(HERE / "pyproject.toml", "rb") as handle:
        settings = tomllib.load(handle)
    name, version = settings["project"]["name"], settings["project"]["version"]
    info, package = f"{name}-{version}.dist-info", HERE / "src" / name
    files = {}
    for pattern in settings["tool"]["pack"]["include"]:
        for path in sorted(package.glob(pattern)):
            files[f"{name}/{path.relative_to(package).as_posix()}"] = path.read_bytes()
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\\nGenerator: build.py\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    record = io.StringIO()
    writer = csv.writer(record, lineterminator="\\n")
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        writer.writerow([path, f"sha256={digest}", len(data)])
    writer.writerow([f"{info}/RECORD", "", ""])
    files[f"{info}/RECORD"] = record.getvalue().encode()
    wheel = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return wheel


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print("build.py takes no arguments", file=sys.stderr)
        sys.exit(2)
    (HERE / "dist").mkdir(exist_ok=True)
    print("built", build_wheel(HERE / "dist"))
''',
)
put(f"src/{pkg}/__init__.py", f'"""All about {p["subject"]["data"]}."""\n\n__version__ = "{p["old"]}"\n')
put(f"src/{pkg}/__main__.py", f'''"""Prints what there is."""

from . import __version__
from .table import table

rows = table()
print("{pkg} %s, {p["subject"]["data"]}: %d, sum %d" % (__version__, len(rows), sum(rows.values())))
for name, value in sorted(rows.items()):
    print("%s: %d" % (name, value))
''')  # fmt: skip
put(
    f"src/{pkg}/table.py",
    '''"""Reads the data that come with the package."""

import importlib.resources
import json


def table():
    rows = {}
    for part in sorted((importlib.resources.files(__package__) / "data").iterdir(), key=lambda path: path.name):
        rows.update(json.loads(part.read_text(encoding="utf-8")))
    return rows
''',
)
values = {item: rng.randint(10, 990) for item in items}
parts = rng.randint(2, 4)
for number in range(parts):
    part = {item: value for n, (item, value) in enumerate(values.items()) if n % parts == number}
    put(f"src/{pkg}/data/part{number + 1}.json", json.dumps(part, ensure_ascii=False) + "\n")

info = f"{pkg}-{p['old']}.dist-info"
old = {
    f"{pkg}/__init__.py": f'__version__ = "{p["old"]}"\n',
    f"{pkg}/__main__.py": f'from .compat import NAMES\n\nprint("{pkg} {p["old"]}", *NAMES)\n',
    f"{pkg}/compat.py": f"NAMES = {items[:2]!r}\n",
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {pkg}\nVersion: {p['old']}\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: build.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
record = ""
for path, text in old.items():
    put(f"{site}/{path}", text)
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    record += f"{path},sha256={digest},{len(text.encode())}\n"
put(f"{site}/{info}/RECORD", record + f"{info}/RECORD,,\n")
put(f"{site}/local_settings.py", f"SCREEN = {rng.randint(1, 9)}\n")
put(f"{site}/clock/__init__.py", "def now():\n    return 0\n")
print(json.dumps({"files": 3 + parts + 3, "total": sum(values.values()), "parts": parts}))
