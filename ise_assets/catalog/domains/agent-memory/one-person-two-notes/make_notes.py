"""Writes two notes about one person, notes that link to them, and the rules for merging."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
who = p["who"]
folder = Path(p["home"], "memory", p["base"])
folder.mkdir(parents=True)
values = {
    "trade": [p["trade"], p["trade"]],
    "town": rng.sample(["Aldea", "Brink", "Corfe", "Dornach", "Esk"], 2),
    "phone": [f"0{rng.randrange(10**8, 10**9)}" for _ in range(2)],
    "pays by": rng.sample(["invoice", "card", "cash", "cheque"], 2),
    "likes": rng.sample(["rowing", "old maps", "strong tea", "dogs", "brass bands"], 2),
    "met at": rng.sample(["the fair", "a wedding", "the auction", "the station"], 2),
    "reads": rng.sample(["German", "Basque", "Greek", "Danish"], 2),
}
keys = list(values)
day = lambda: f"202{rng.randint(3, 5)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
clash = sorted(rng.sample([k for k in keys if k != "trade"], 2))
a, b, merged = {}, {}, {}
for key in keys:
    first, second = values[key]
    if key in clash:
        x, y = sorted([day(), day()])
        while x == y:
            x, y = sorted([day(), day()])
        late = rng.random() < 0.5
        a[key], b[key] = (first, y if late else x), (second, x if late else y)
        merged[key] = a[key] if late else b[key]
    elif key == "trade":
        x, y = sorted([day(), day()])
        a[key], b[key] = (first, x), (first, y)
        merged[key] = b[key]
    else:
        fact = (first, day())
        rng.choice([a, b])[key] = fact
        merged[key] = fact


def note(title, facts):
    lines = [f"- {key}: {value} ({when})" for key, (value, when) in facts.items()]
    rng.shuffle(lines)
    return f"# {title}\n\n" + "\n".join(lines) + "\n"


notes = {
    f"{who['a']}.md": note(who["full"], a),
    f"{who['b']}.md": note(who["other"], b),
    "merging.md": (
        "# Rules for merging notes about one person\n\n"
        "- The note that remains keeps its title; below it, after an empty line, comes `Also known as: OTHER NAME`, then an empty line and the facts.\n"
        "- Every fact of both is kept, one line a key, sorted by key. Where they contradict each other the later date wins; where they agree, the later date stays.\n"
        "- The other note is removed, and links to it in the other notes lead to the one that remains. The words of a link are left as they are.\n"
    ),
}
links = 0
topics = rng.sample(["auction", "spring-fair", "orders", "birthdays", "debts", "recipes", "trips"], 4)
left = p["links"]
for n, topic in enumerate(topics):
    mine = left if n == len(topics) - 1 else rng.randint(0, min(2, left))
    left -= mine
    links += mine
    lines = [f"- asked [{who['other']}]({who['b']}.md) about {rng.choice(['freight', 'a loan', 'samples', 'the date'])}" for _ in range(mine)]
    lines += [f"- talked to [{who['full']}]({who['a']}.md)", f"- {who['other']} may know more"][: rng.randint(1, 2)]
    rng.shuffle(lines)
    notes[f"{topic}.md"] = f"# {topic.replace('-', ' ').capitalize()}\n\n" + "\n".join(lines) + "\n"
for name, text in notes.items():
    (folder / name).write_text(text, "utf-8")
after = {name: text.replace(f"({who['b']}.md)", f"({who['a']}.md)") for name, text in notes.items() if name != f"{who['b']}.md"}
after[f"{who['a']}.md"] = f"# {who['full']}\n\nAlso known as: {who['other']}\n\n" + "".join(f"- {k}: {merged[k][0]} ({merged[k][1]})\n" for k in sorted(merged))
print(json.dumps({"notes": after, "links": links, "clash_one": clash[0], "clash_two": clash[1]}))
