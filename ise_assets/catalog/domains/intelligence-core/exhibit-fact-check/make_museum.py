"""Writes a panel text with two wrong claims, a register, a society's page and a blog that serve it, and their search index."""

import html
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
site, slug = p["site"], p["site"]["slug"]
builders = ["Ansel Roake", "Ida Verhoff", "Tobias Lund", "Marta Quill", "Emrys Dahl", "Cora Pennick"]
years, closings = rng.sample(range(1841, 1899), 2), rng.sample(range(1921, 1979), 2)
sizes, names = rng.sample(range(12, 88), 2), rng.sample(builders, 2)
true = {"year": str(years[0]), "size": str(sizes[0]), "builder": names[0], "closed": str(closings[0])}
false = {"year": str(years[1]), "size": str(sizes[1]), "builder": names[1], "closed": str(closings[1])}
wrong = rng.sample(sorted(true), 2)
said = {key: false[key] if key in wrong else true[key] for key in true}
with open("panel.md", "w", encoding="utf-8", newline="") as out:
    out.write(
        f"# {site['name']}\r\n\r\n"
        f"The {site['kind']} was built in {said['year']} by {said['builder']}.\r\n"
        f"It is {said['size']} m {site['measure']} and was in use until {said['closed']}.\r\n"
        f"Please do not touch the models. Guided tours start at {rng.randint(10, 15)}:30 from the cloakroom.\r\n"
    )
port = p["ports"]["web"]
folder = f"{p['home']}/.local/share/pages-{port}"
other = rng.choice(["Old Quarry", "Long Marsh", "Upper Wick"]) + " " + site["kind"]
pages = {
    f"register/{rng.randint(1000, 9999)}-{slug}.html": (
        f"{site['name']} | Heritage Register of {p['county']}",
        f"Type: {site['kind']}. Built: {true['year']}. Size: {true['size']} m {site['measure']}. Grade: {rng.choice(['I', 'II'])}. "
        "The register does not record builders or later use.",
    ),
    f"register/{rng.randint(1000, 9999)}-other.html": (
        f"{other} | Heritage Register of {p['county']}",
        f"Type: {site['kind']}. Built: {rng.randint(1801, 1840)}. Size: {rng.randint(89, 99)} m {site['measure']}.",
    ),
    f"society/{slug}-accounts.html": (
        f"{site['name']}: what the accounts say | {p['county']} Historical Society",
        f"The name given on the old signboard is a mistake. The building accounts name {true['builder']} as the builder. "
        f"The last entry in the day book shows that it was in use until {true['closed']}. "
        f"We have no measurements of our own.",
    ),
    f"blog/ten-things-{slug}.html": (
        f"Ten things about {site['name']} you never knew",
        f"Built in {false['year']} by {false['builder']}! A whopping {false['size']} m {site['measure']}, and in use until {false['closed']}. "
        "Number seven will surprise you.",
    ),
}
os.makedirs("/workspace/.services", exist_ok=True)
with open("/workspace/.services/search.jsonl", "a", encoding="utf-8") as index:
    for path, (title, text) in pages.items():
        os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
        with open(f"{folder}/{path}", "w", encoding="utf-8") as out:
            out.write(f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>\n<h1>{html.escape(title)}</h1>\n")
            out.write("".join(f"<p>{html.escape(part.strip())}.</p>\n" for part in text.rstrip(".").split(". ")))
        index.write(json.dumps({"url": f"http://127.0.0.1:{port}/{path}", "title": title, "text": text}) + "\n")
source = {"year": "register/", "size": "register/", "builder": "society/", "closed": "society/"}
print(json.dumps({"rows": [[said[k], true[k], source[k]] for k in wrong], "first": true[wrong[0]], "second": true[wrong[1]],
                  "said": said, "true": true}))
