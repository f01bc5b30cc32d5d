"""Writes an Atom feed and what was seen of it: some entries are new, some changed (with or without another title), some gone."""

import json
import os
import random
from html import escape

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
feed = p["kind"]["feed"].replace(" ", "-")
words = rng.sample(p["kind"]["words"], len(p["kind"]["words"]))
endings = ["moved", "postponed", "now open", "closed for a week", "dates & times", 'called "final"', "results, part 2", "update"]
times = sorted(f"2026-0{rng.randint(1, 3)}-{rng.randint(1, 28):02d}T{rng.randint(6, 21):02d}:{rng.randint(0, 59):02d}:{n:02d}Z" for n in range(30))
fresh, altered = p["fresh"], p["altered"]
entries, seen, news = [], {}, []
for n, word in enumerate([*words, *words[:4]]):
    key = f"urn:{feed}:{rng.randrange(10**5, 10**6)}"
    title = f"{word[0].upper()}{word[1:]}: {rng.choice(endings)}"
    link = f"https://news.example/{feed}/{n + 100}?from=feed&v=1"
    when = times[n + 12]
    entries.append((key, title, link, when))
    if n < fresh:
        news.append([when, "new", title, link])
    elif n < fresh + altered:
        seen[key] = times[rng.randrange(12)]
        news.append([when, "changed", title, link])
    else:
        seen[key] = when
for _ in range(rng.randint(3, 6)):
    seen[f"urn:{feed}:gone-{rng.randrange(10**5, 10**6)}"] = times[rng.randrange(12)]
rng.shuffle(entries)
body = ""
for key, title, link, when in entries:
    shown = f"<![CDATA[{title}]]>" if rng.random() < 0.4 else escape(title, quote=False)
    body += f"  <entry>\n    <id>{key}</id>\n    <title>{shown}</title>\n    <link href=\"{escape(link)}\"/>\n    <updated>{when}</updated>\n  </entry>\n"
folder = f"/home/user/.local/share/feed-{p['ports']['web']}"
os.makedirs(folder, exist_ok=True)
with open(f"{folder}/feed.xml", "w", encoding="utf-8") as handle:
    handle.write(f'<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n  <title>{p["kind"]["feed"]}</title>\n{body}</feed>\n')
pairs = list(seen.items())
rng.shuffle(pairs)
with open("seen.json", "w", encoding="utf-8") as handle:
    json.dump(dict(pairs), handle, indent=1)
after = {**seen, **{key: when for key, _, _, when in entries}}
rows = [[kind, when[:10], title, link] for when, kind, title, link in sorted(news)]
print(json.dumps({"fresh": fresh, "altered": altered, "rows": rows, "after": after}))
