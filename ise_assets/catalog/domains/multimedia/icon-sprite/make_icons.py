"""Writes SVG icons from several hands; prints the symbols that they become."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
os.makedirs("svg")
bare = rng.choice(p["icons"])
symbols = []
for name in sorted(p["icons"]):
    size = rng.choice([16, 24, 32, 48])
    shapes, lines = [], []
    for n in range(rng.randint(2, 4)):
        if rng.random() < 0.6:
            d = f"M{rng.randint(0, size)} {rng.randint(0, size)}h{rng.randint(1, 9)}v{rng.randint(1, 9)}l-{rng.randint(1, 5)} {rng.randint(1, 5)}z"
            shape, given = {"kind": "path", "d": d}, f'd="{d}"'
        else:
            cx, cy, r = (str(rng.randint(1, size)) for _ in "xyr")
            shape, given = {"kind": "circle", "cx": cx, "cy": cy, "r": r}, f'cx="{cx}" cy="{cy}" r="{r}"'
        hollow = n == 1 or rng.random() < 0.2
        colour = "none" if hollow else rng.choice(["#333", "#1a2b3c", "black", "rgb(10,20,30)"])
        painted = f'style="stroke:#000;fill:{colour}"' if rng.random() < 0.4 else f'fill="{colour}"'
        lines.append(f'<{shape["kind"]} id="shape{n}" {given} {painted}/>')
        shapes.append({**shape, "fill": "none" if hollow else "currentColor"})
    box = f"0 0 {size} {size + 2}" if name == bare else f"0 0 {size} {size}"
    dims = (
        f'width="{size}px" height="{size + 2}px"'
        if name == bare
        else rng.choice([f'width="{size}" height="{size}"', 'width="1em" height="1em"'])
    )
    view = "" if name == bare else f' viewBox="{box}"'
    grouped = rng.random() < 0.5 or name == p["icons"][0]
    body = "\n    ".join(lines)
    body = f'<g id="layer1" class="ink">\n    {body}\n  </g>' if grouped else body
    extra = rng.choice(
        [
            "",
            '<metadata id="m1"><note xmlns="http://editor.example/ns">drawn 2019</note></metadata>\n  ',
            "<title>%s</title>\n  " % name,
        ]
    )
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" id="root" {dims}{view}>\n  {extra}{body}\n</svg>\n'
    with open(f"svg/{name}.svg", "w", encoding="utf-8", newline="") as out:
        out.write(text.replace("\n", "\r\n") if rng.random() < 0.4 else text)
    symbols.append({"id": p["prefix"] + name, "viewBox": box, "shapes": shapes})
print(json.dumps({"symbols": symbols, "bare": bare}))
