"""Writes files with umlauts (composed and decomposed), spaces and odd endings, and an index that links to them."""

import hashlib
import json
import os
import random
import unicodedata
import urllib.parse

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
special = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}


def clean(name):
    name = unicodedata.normalize("NFC", name).lower()
    name = "".join(special.get(letter, letter) for letter in name)
    name = "".join(letter for letter in unicodedata.normalize("NFD", name) if not unicodedata.combining(letter))
    return name.replace(" ", "-")


def text(lines):
    return "".join(f"{rng.choice(p['stems'])}: {rng.randint(1, 9999)}\n" for _ in range(lines))


os.makedirs(f"{p['dir']}/archive")
names = []
for number, stem in enumerate(p["stems"]):
    form = "NFD" if number % 2 else "NFC"
    ending = [".txt", ".TXT", ".csv", ".Csv"][rng.randrange(4)]
    names.append(unicodedata.normalize(form, f"{p['prefix']} {stem}{ending}" if number == 0 else f"{stem}{ending}"))
contents = {name: text(rng.randint(4, 9)) for name in names}
double = unicodedata.normalize("NFD", names[0])
contents[double] = text(rng.choice([1, 30]))
kept = max((names[0], double), key=lambda name: len(contents[name].encode()))
other = double if kept == names[0] else names[0]
for name, content in sorted(contents.items()):
    with open(f"{p['dir']}/{name}", "w", encoding="utf-8") as handle:
        handle.write(content)
for name in rng.sample(names[1:], 2):
    with open(f"{p['dir']}/archive/{name}", "w", encoding="utf-8") as handle:
        handle.write(text(3))
listed = [kept if name == names[0] else name for name in names]
rng.shuffle(listed)


def index(target):
    lines = [f"# {p['heading']}", "", f"Fragen an {p['contact']}@example.net, Stand: Frühjahr.", ""]
    for number, name in enumerate(listed):
        title = unicodedata.normalize("NFC", name.rsplit(".", 1)[0])
        lines.append(f"- [{title}]({target(name)})" + (" (Größe geprüft)" if number % 3 == 0 else ""))
    return "\n".join([*lines, "", "- [Übersicht der Partner](https://partner.example/%C3%9Cbersicht%202025)"]) + "\n"


with open(f"{p['dir']}/index.md", "w", encoding="utf-8") as handle:
    handle.write(index(urllib.parse.quote))
digest = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in contents.items()}
print(
    json.dumps(
        {
            "files": {clean(name): digest[name] for name in contents if name != other},
            "double": {clean(other): digest[other]},
            "index": index(clean),
            "renamed": len(contents) - 1,
        }
    )
)
