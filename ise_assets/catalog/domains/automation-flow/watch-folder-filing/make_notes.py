"""Writes notes of several makers into inbox/, some in Windows encoding, some without a date; prints the truths."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
makers = ["Müller & Söhne", "Bäckerei Jahn", "Café Élan", "Norbury Ltd", "Østlund", "Hafenkontor", "Grünwald", "Weir Mills"]
kinds = ["utf8", "cp1252", "undated", "impossible", "bom"]
chosen = kinds + [rng.choice(["utf8", "utf8", "cp1252", "undated"]) for _ in range(p["count"] - len(kinds))]
rng.shuffle(chosen)
os.makedirs("inbox")
places, rejected = {}, 0
for number, kind in enumerate(chosen, 1):
    maker, month = rng.choice(makers), rng.randint(1, 3)
    name = f"{maker} {number:02d}.csv"
    date = f"{rng.randint(1, 28):02d}.{month:02d}.2026"
    if kind == "impossible":
        date = rng.choice(["31.13.2026", "soon", "tomorrow", "??.02.2026"])
    lines = [f"note;{rng.randint(1000, 9999)}", f"from;{maker if kind != 'cp1252' else 'Müller, Straße ' + str(number)}"]
    if kind != "undated":
        lines.append(f"{p['column']};{date}")
    lines += [f"item;{rng.choice(['crate', 'roll', 'box', 'tray'])};{rng.randint(1, 60)}" for _ in range(rng.randint(1, 4))]
    end = "\r\n" if kind in ("cp1252", "bom") else "\n"
    data = (end.join(lines) + end).encode("cp1252" if kind == "cp1252" else "utf-8-sig" if kind == "bom" else "utf-8")
    with open(f"inbox/{name}", "wb") as handle:
        handle.write(data)
    bad = kind in ("undated", "impossible")
    rejected += bad
    places["rejected" if bad else f"done/2026-{month:02d}", name] = data.hex()
for number in range(rng.randint(1, 3)):
    with open(f"inbox/{rng.choice(makers)} {90 + number}.part", "w", encoding="utf-8") as handle:
        handle.write(f"note;{rng.randint(1000, 9999)}\nfro")
print(json.dumps({"rejected": rejected, "places": {f"{folder}/{name}": data for (folder, name), data in places.items()}}))
