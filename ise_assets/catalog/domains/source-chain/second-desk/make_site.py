"""A small site with open work on a draft branch, and a worktree entry whose folder is gone."""

import hashlib
import json
import os
import random
import shutil
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s, e, c = p["subject"], p["euros"], p["cents"]


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def put(path, text):
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def site(euros, programme):
    hours = "".join(f"<li>{line}</li>\n" for line in programme)
    return {
        "index.html": f"<h1>{s['what']}</h1>\n<p>{s['key']}: EUR {euros}.{c}</p>\n<p>children: EUR {e}.{c}, with a meal</p>\n<ul>\n{hours}</ul>\n",
        "flyer.md": f"# {s['what']}\n\n- {s['key'].capitalize()} {euros},{c} €\n- Children with a meal {e},{c} €\n\n{programme[0]}\n",
        "prices.json": json.dumps({s["key"]: int(f"{euros}{c}"), "children": int(f"{e}{c}"), "dogs": 0}, indent=1)
        + "\n",
    }


hours = [
    f"{n + 10}:{rng.choice(['00', '15', '30'])} {word}"
    for n, word in enumerate(["opening", "music", "speech", "supper"])
]
for name, text in site(e, hours).items():
    put(name, text)
put("notes.txt", f"ask about the tent\nphone {rng.randint(1000, 9999)}\n")
git("init", "-q", "-b", "main")
git("add", "-A")
git("commit", "-q", "-m", f"The site of the {s['what']}")
put("notes.txt", "ask about the tent, again\n")
git("commit", "-q", "-am", "Notes")
git("checkout", "-q", "-b", p["draft"])
gone = os.path.abspath(f"../{s['repo']}-desk")
git("worktree", "add", "-q", gone, "main")
shutil.rmtree(gone)
for name, text in site(e, [*hours, "22:00 fireworks"]).items():
    put(name, text)
put("map.svg", "<svg/>\n")
git("add", "-A")
git("commit", "-q", "-m", "Start on it")
draft = site(e, [line.upper() for line in hours])
put("index.html", draft["index.html"])
git("add", "index.html")
put("index.html", draft["index.html"].replace("<h1>", '<h1 class="big">'))
put("flyer.md", draft["flyer.md"] + "\nMore to come.\n")
put("ideas.txt", "a raffle?\n")
put("notes.txt", "ask about the tent, again\nand the lamps\n")
git("add", "notes.txt")


def digest(*arguments):
    return hashlib.sha256(git(*arguments).encode()).hexdigest()


status = r"  -\n".join([digest("status", "--porcelain"), digest("diff", "--cached"), digest("diff")])
tree = {**site(e + p["more"], hours), "notes.txt": git("show", "main:notes.txt")}
print(
    json.dumps(
        {
            "status": status,
            "main": git("rev-parse", "main").strip(),
            "draft": git("rev-parse", p["draft"]).strip(),
            "tree": tree,
        }
    )
)
