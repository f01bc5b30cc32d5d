"""Fills an SQLite file with blobs of several kinds, some stored twice, with a column that often lies about the kind."""

import json
import os
import random
import sqlite3

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
heads = {"png": b"\x89PNG\r\n\x1a\n", "gif": b"GIF89a", "pdf": b"%PDF-1.4\n", "txt": b""}
kinds = ["png", "gif", "pdf", "txt"]
rows = []
for n in range(p["files"]):
    kind = kinds[n % 4] if n < 4 else rng.choice(kinds)
    body = heads[kind]
    body += f"note {rng.random()}".encode() if kind == "txt" else bytes(rng.randrange(256) for _ in range(rng.randint(60, 400)))
    if n == 0:
        body += b"\xff"  # never valid text
    title = f"{p['kind']['word']} {rng.choice(['A/B', 'no. 7', 'ältere', 'front: left', 'two, late', 'x*y'])} {rng.randint(1, 99)}"
    rows.append((title, kind, body))
rows += [(f"{title} (copy)", kind, body) for title, kind, body in rng.sample(rows, p["twins"])]
rng.shuffle(rows)
ids = sorted(rng.sample(range(100, 999), len(rows)))
book = sqlite3.connect(p["kind"]["db"])
book.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, title TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL)")
kept, index = {}, []
entries = []
for number, (title, kind, body) in zip(ids, rows):
    told = rng.choice(kinds) if rng.random() < 0.4 else kind
    entries.append((number, title, told, body))
    kept.setdefault(body, f"{number}.{kind}")
    index.append([str(number), title, kept[body]])
book.executemany("INSERT INTO entries VALUES (?, ?, ?, ?)", rng.sample(entries, len(entries)))
if all(told == kind for (_, _, told, _), (_, kind, _) in zip(entries, rows)):
    book.execute("UPDATE entries SET kind = 'bmp' WHERE id = ?", (ids[0],))
book.commit()
book.close()
files = {name: body.hex() for body, name in kept.items()}
size = sum(len(body) for _, _, body in rows)
print(json.dumps({"files": len(files), "twins": len(rows) - len(files), "content": files, "index": index, "entries": len(rows), "bytes": size}))
