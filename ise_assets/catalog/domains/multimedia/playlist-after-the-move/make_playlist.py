"""Writes a music library and a playlist with Windows paths in cp1252; prints the playlist as it should be."""

import json
import os
import random
import wave

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
titles = rng.sample(["Blaue Stunde", "Café Noir", "Dust & Honey", "El Niño", "Fjord", "Grüner Tee", "Half a Mile", "Öresund", "Ivy", "Jasmin", "Kite Weather",
                     "Lanterns", "Mañana", "North of Here", "Ohne Dich", "Pièce No. 4"], p["tracks"])  # fmt: skip
singers = ["Ane Lo", "The Wicks", "Müller & Co", "Oka", "Tres Rios"]
folders = ["calm", "old/1990s", "old/unsorted", "new", "Übungen", "from tape"]


def record(path, seconds):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with wave.open(path, "wb") as out:
        out.setparams((1, 1, 200, 0, "NONE", ""))
        out.writeframes(bytes([rng.randrange(100, 156)]) * (200 * seconds + rng.randint(-60, 60)))


lost = rng.randrange(p["tracks"])
doubles = set(rng.sample([n for n in range(p["tracks"]) if n != lost], 3))
changed = set(rng.sample([n for n in range(p["tracks"]) if n != lost], 3))
lines, want, gone = ["#EXTM3U"], ["#EXTM3U"], []
for n, title in enumerate(titles):
    seconds, singer = rng.randint(90, 400), rng.choice(singers)
    name = f"{n + 1:02d} {title}.wav"
    info = f"#EXTINF:{seconds},{singer} - {title}"
    lines += [info, f"{p['drive']}\\{singer}\\{name}"]
    if n == lost:
        gone.append(name)
        continue
    shown = name.upper() if n in changed else name
    places = rng.sample(folders, 2)
    record(f"library/{places[0]}/{shown}", seconds)
    if n in doubles:
        record(f"library/{places[1]}/{name}", seconds + rng.choice([-40, 35, 61]))
    want += [info, f"library/{places[0]}/{shown}"]
record("library/new/jingle.wav", 7)
with open(p["file"] + ".m3u", "w", encoding="cp1252", newline="") as out:
    out.write("".join(line + "\r\n" for line in lines))
print(json.dumps({"want": want, "lost": gone, "count": len(want) // 2}))
