"""Writes pages, a sitemap and a robots.txt with groups, a forbidden folder, an exception in it and another agent's rules."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind, base = p["kind"], f"http://127.0.0.1:{p['ports']['web']}"
parts, closed = rng.sample(kind["parts"], len(kind["parts"])), kind["closed"]
drafts, other = parts[0], parts[1]
names = ["of the year", "from the attic", "no. 12", "& others", "in Öland", "with notes", "restored", "of two rivers", "lent out"]
paths = [f"/{rng.choice(parts[1:])}/{n}.html" for n in range(3, p["pages"])]
paths += [f"/{other}/1.html", f"/{closed}/1.html", f"/{closed}/2.html", f"/{closed}/open/1.html", f"/{drafts}/draft-1.html", f"/{drafts}/2.html"]
paths = list(dict.fromkeys(paths))
rng.shuffle(paths)
titles = {path: f"{kind['thing'].capitalize()} {rng.randrange(100, 999)} {rng.choice(names)}".replace("&", "and") for path in paths}
robots = [
    "# be kind",
    "User-agent: hungrybot",
    f"Disallow: /{other}/",
    "",
    "User-agent: *",
    f"Disallow: /{closed}/",
    f"Allow: /{closed}/open/",
    f"Disallow: /{drafts}/draft-",
    "",
    f"Sitemap: {base}/sitemap.xml",
]
pages = {path: f"<!doctype html><html><body>\n<h1>{title}</h1>\n<p>{kind['site']}</p>\n</body></html>\n" for path, title in titles.items()}
pages["/robots.txt"] = "\n".join(robots) + "\n"
pages["/sitemap.xml"] = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<urlset>\n'
    + "".join(f"  <url><loc>{base}{path}</loc></url>\n" for path in paths)
    + "</urlset>\n"
)
folder = f"/home/user/.local/share/robots-{p['ports']['web']}"
with open(f"{folder}/site.json", "w", encoding="utf-8") as handle:
    json.dump(pages, handle)
forbidden = [x for x in paths if (x.startswith(f"/{closed}/") and "/open/" not in x) or x.startswith(f"/{drafts}/draft-")]
index = {path: title for path, title in titles.items() if path not in forbidden}
print(json.dumps({"forbidden": len(forbidden), "paths": forbidden, "index": index}))
