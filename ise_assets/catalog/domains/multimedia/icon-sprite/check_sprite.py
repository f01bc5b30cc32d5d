"""The sprite holds the symbols of the seed, in order, and nothing else that is drawn."""

import json
import os
import xml.etree.ElementTree as ET

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
root = ET.parse(f"{p['root']}/{p['sheet']}.svg").getroot()
SVG = "{http://www.w3.org/2000/svg}"
allowed = {SVG + kind for kind in ("svg", "symbol", "path", "circle", "defs", "g")}
foreign = [e.tag for e in root.iter() if e.tag not in allowed]
assert not foreign, f"left over: {foreign[0]}"
found = []
for symbol in root.iter(SVG + "symbol"):
    shapes = []
    for shape in symbol.iter():
        kind = shape.tag.removeprefix(SVG)
        if kind in ("path", "circle"):
            assert "id" not in shape.attrib, f"an id inside {symbol.get('id')}"
            keys = ("d",) if kind == "path" else ("cx", "cy", "r")
            shapes.append({"kind": kind, **{k: shape.get(k) for k in keys}, "fill": shape.get("fill", "currentColor")})
    found.append({"id": symbol.get("id"), "viewBox": symbol.get("viewBox"), "shapes": shapes})
assert found == truth["symbols"], next(
    ((a, b) for a, b in zip(found, truth["symbols"]) if a != b), f"{len(found)} symbols"
)
