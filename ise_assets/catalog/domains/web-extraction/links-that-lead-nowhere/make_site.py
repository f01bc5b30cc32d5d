"""Writes pages that link to each other, some links dead, some moved, one going round in a circle, some to other hosts."""

import json
import os
import random
from urllib.parse import urljoin

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
names = p["kind"]["pages"]
paths = {name: "/" if name == "index" else rng.choice([f"/{name}.html", f"/more/{name}.html"]) for name in names}
links = {name: set() for name in names}
for n, name in enumerate(names[1:], 1):  # every page is linked from an earlier one
    links[names[rng.randrange(max(1, n - 3), n) if n > 2 else 0]].add(paths[name])
for name in names:
    links[name] |= {paths[other] for other in rng.sample(names, 2)}
moved, codes = {}, {}
for name in rng.sample(names[1:], p["moved"]):
    moved[f"/{name}-old"] = paths[name]
    links[rng.choice(names)].add(f"/{name}-old")
moved |= {"/round": "/and-round", "/and-round": "/round"}
links[rng.choice(names[1:])].add("/round")
words = ["plan", "list", "photo", "map", "form", "price", "minutes", "poster", "song", "menu"]
for word in rng.sample(words, p["dead"]):
    path = f"/{rng.choice(['docs', 'more', 'files'])}/{word}.html"
    codes[path] = rng.choice([404, 404, 410, 403])
    links[rng.choice(names)].add(path)
pages = {}
for name in names:
    shown = []
    for path in sorted(links[name]):
        here = paths[name]
        text = path if rng.random() < 0.5 or here == "/" else os.path.relpath(path, os.path.dirname(here))
        if urljoin(here, text) != path:
            text = path
        shown.append(text + rng.choice(["", "", "#top"]))
    shown += rng.sample(["https://example.org/", "mailto:hello@example.org", "#here"], 2)
    rng.shuffle(shown)
    items = "".join(f'<li><a class="x" href="{link}">{rng.choice(words)}</a></li>\n' for link in shown)
    pages[paths[name]] = f"<!doctype html><html><body><h1>{name}</h1>\n<ul>\n{items}</ul>\n</body></html>\n"
with open(f"/home/user/.local/share/site-{p['ports']['web']}/site.json", "w", encoding="utf-8") as handle:
    json.dump({"pages": pages, "moved": moved, "codes": codes}, handle)


def reached():
    seen, todo = set(), ["/"]
    by_path = {paths[name]: name for name in names}
    while todo:
        page = todo.pop()
        if page not in seen:
            seen.add(page)
            todo += [end for link in links[by_path[page]] if (end := moved.get(link, link)) in by_path]
    return seen, by_path


seen, by_path = reached()
dead = []
for page in seen:
    for link in links[by_path[page]]:
        if link in ("/round", "/and-round"):
            dead.append([page, link, "loop"])
        elif link in codes:
            dead.append([page, link, str(codes[link])])
print(json.dumps({"pages": len(seen), "dead": len(dead), "rows": sorted(dead)}))
