"""Writes an mbox with two mixed threads, folded References, quotes and tasks; prints outline and open tasks."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
people = rng.sample(
    ["Ada Finch", "Bert Olsen", "Carla Mint", "Dieter Voss", "Edda Krog", "Finlay Roe", "Gesine Ott", "Hamid Sur"], 5
)


def thread(subject, count, tasks):
    nodes, minute, todo, number = [], rng.randint(0, 900), {}, 0
    for k in range(count):
        minute += rng.randint(9, 1300)
        parent = None if k == 0 else rng.choice(nodes[-4:])
        who = rng.choice(people)
        mid = f"<{rng.randrange(10**8):08d}.{k}@{rng.choice(['post', 'mail'])}.example>"
        text = rng.choice(
            ["I'll see to it.", "Not again!", "Any news?", "The price is fine.", "Can we wait until spring?"]
        )
        if tasks and (k in (1, 2) or rng.random() < 0.45):
            number += 1
            name = rng.choice(people).split()[0]
            todo[number] = name
            text += f"\nTODO {number} {name} {rng.choice(['get a quote', 'ring the joiner', 'measure it', 'ask the council', 'order bolts'])}"
        elif tasks and len(todo) > 1 and rng.random() < 0.6:
            gone = rng.choice(sorted(todo))
            del todo[gone]
            text += f"\nDONE {gone}"
        if parent:
            text += "\n\n" + "\n".join("> " + line for line in parent["text"].splitlines()[:3])
        nodes.append({"minute": minute, "parent": parent, "who": who, "mid": mid, "text": text, "subject": subject if not parent else "Re: " + subject,
                      "chain": [*parent["chain"], parent["mid"]] if parent else []})  # fmt: skip
    return nodes, todo


def stamp(minute):
    return 2 + minute // 1440, minute // 60 % 24, minute % 60


def block(node, at):
    day, hour, minute = stamp(node["minute"])
    lines = [f"From {node['who'].split()[0].lower()}@post.example Mon Feb  2 08:00:00 2026", f"Date: {day} Feb 2026 {hour:02d}:{minute:02d}:00 +0000",
             f"From: {node['who']} <{node['who'].split()[0].lower()}@post.example>", f"Subject: {node['subject']}", f"Message-ID: {node['mid']}"]  # fmt: skip
    if node["parent"]:
        if at % 3 != 1:
            lines.append(f"In-Reply-To: {node['parent']['mid']}")
        lines.append("References: " + "\n ".join(node["chain"][-3:]))
    lines += ["Content-Type: text/plain; charset=utf-8", "", node["text"], ""]
    return "\n".join(lines)


main, todo = thread(f"About {p['topic']}", p["mails"], True)
side, _ = thread(f"About {p['other']}", rng.randint(4, 8), False)
blocks = [block(node, at) for at, node in enumerate(main)] + [block(node, at) for at, node in enumerate(side)]
rng.shuffle(blocks)
with open("archive.mbox", "w", encoding="utf-8") as out:
    out.write("\n".join(blocks))


def outline(node, depth):
    day, hour, minute = stamp(node["minute"])
    lines = ["  " * depth + f"2026-02-{day:02d} {hour:02d}:{minute:02d} {node['who']}"]
    for child in main:
        if child["parent"] is node:
            lines += outline(child, depth + 1)
    return lines


names = sorted(set(todo.values()))
print(json.dumps({"outline": outline(main[0], 0), "count": len(main), "todo": [[str(n), who] for n, who in sorted(todo.items())],
                  "people": "".join(f"(?=[\\s\\S]*{n})" for n in names)}))  # fmt: skip
