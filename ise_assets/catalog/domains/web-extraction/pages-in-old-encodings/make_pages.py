"""Writes old pages in four encodings; one of them says Latin-1 and is UTF-8."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
folder = f"/home/user/.local/share/old-{p['ports']['web']}"
first = ["Jürgen", "Zoë", "Renée", "Søren", "Łukasz", "Anaïs", "Björk", "Íñigo", "Maŕia", "Chloé", "Åsa", "François", "Noémi"]
last = ["O’Brien", "D’Amico", "Müller", "Peña", "Strauß", "Ørsted", "L’Écuyer", "Châtelain", "Böll", "N’Diaye", "Mc & Sons"]
encodings = ["utf-8", "windows-1252", "iso-8859-1", "utf-16"]
kinds = [*encodings, "liar", *rng.choices(encodings, k=3)][: p["pages"]]
rng.shuffle(kinds)
types, rows, links, liar = {}, [], "", ""
decades = rng.sample(range(1950, 2030, 10), len(kinds))
for decade, kind in zip(sorted(decades), kinds, strict=True):
    page = f"{decade}s.html"
    codec = "utf-8" if kind == "liar" else kind
    people = []
    for n in range(rng.randint(3, 5)):
        for _ in range(200):
            name = f"{rng.choice(first)} {rng.choice(last)}"
            if codec == "iso-8859-1" and "’" in name:
                continue
            special = any(ord(c) > 127 for c in name.replace("’", "")) if n == 0 else True
            try:
                name.encode(codec)
            except UnicodeEncodeError:
                continue
            if special and name not in people:
                break
        people.append(name)
    label = "iso-8859-1" if kind == "liar" else "iso-8859-1" if codec == "iso-8859-1" else codec
    in_header = kind != "utf-16" and rng.random() < 0.5
    meta = "" if in_header or kind == "utf-16" else f'<meta http-equiv="Content-Type" content="text/html; charset={label}">'
    body = ""
    for name in people:
        what = rng.choice(p["kind"]["words"])
        shown = name.replace("&", "&amp;")
        if codec == "utf-8" and rng.random() < 0.5:
            shown = shown.replace("’", "&rsquo;")
        body += f"<tr><td>{shown}</td><td>{what}</td></tr>\n"
        rows.append([page, name, what])
    text = f"<html><head>{meta}<title>{decade}s</title></head><body>\n<h2>{p['kind']['who']}</h2>\n<table>\n<tr><th>name</th><th>{p['kind']['col']}</th></tr>\n{body}</table></body></html>\n"
    data = b"\xff\xfe" + text.encode("utf-16-le") if codec == "utf-16" else text.encode(codec)
    with open(f"{folder}/{page}", "wb") as handle:
        handle.write(data)
    types[page] = f"text/html; charset={label}" if in_header else "text/html"
    links += f'<li><a href="{page}">the {decade}s</a></li>\n'
    if kind == "liar":
        liar = page
with open(f"{folder}/index.html", "w", encoding="ascii") as handle:
    handle.write(f"<html><body><h1>{p['kind']['who']}</h1><ul>\n{links}</ul></body></html>\n")
types["index.html"] = "text/html; charset=us-ascii"
with open(f"{folder}/types.json", "w", encoding="utf-8") as handle:
    json.dump(types, handle)
print(json.dumps({"rows": rows, "liar": liar}))
