"""Writes a glossary with replaced entries, an older one in a subfolder, and a text that uses the old words; prints the text as it should be."""

import json
import os
import random
import re

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
folder = f"{p['home']}/memory/{p['slug']}"
os.makedirs(folder + "/old")
pairs = [tuple(pair) for pair in p["pairs"]]
changed = rng.sample(pairs, 2)
interim = {"visitor": "attendee", "affordable": "low-cost", "staff": "workforce", "chair": "head", "café": "bistro", "boundary": "railing", "accessible toilet": "wide toilet",
           "opening hours": "visiting hours", "pushchair": "buggy", "site plan": "overview", "charge": "rate", "volunteer": "aide", "parking area": "parking lot", "main room": "foyer"}  # fmt: skip
rows = []
for old, new in pairs:
    rows.append(
        f"- {old} -> {interim[new] if (old, new) in changed else new} (2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d})"
    )
rng.shuffle(rows)
rows += [f"- {old} -> {new} (2025-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d})" for old, new in changed]
glossary = (
    f"# Glossary of {p['house']}\n\nRules: left is what we do not write any more, right what we write instead. Whole words only, a capital stays a capital.\n"
    "Quotations (lines that begin with >) keep the words of the one quoted. If a word is listed twice, the later entry is valid.\n"
    "New entries go to the end, with the date in brackets; older ones are never touched.\n\n## Words\n\n"
    + "\n".join(rows)
    + "\n"
)
with open(folder + "/glossary.md", "w", encoding="utf-8") as out:
    out.write(glossary)
with open(folder + "/old/style-2019.md", "w", encoding="utf-8") as out:
    out.write(f"# Style sheet of {p['house']} 2019 (void)\n\n- {pairs[0][1]} -> {pairs[0][0]}\n- short sentences\n")
templates = [
    "Every {} is welcome from nine to five.", "Please ask for the {} at the entrance.", "The {} was renewed last spring.", "You will find the {} on the left.",
    "A {} costs nothing for members.", "Our {} can be reached on foot.", "{} and garden are open all year.", "Nobody likes a {} without a sign.",
    "Since May the {} has been twice as large.", "{}: see the board.", "Behind the {} the path begins.",
]  # fmt: skip
plan = [pair[0] for pair in pairs] + [rng.choice(pairs)[0] for _ in range(rng.randint(2, 6))]
rng.shuffle(plan)
lines = [f"# {p['house']}", ""]
for n, word in enumerate(plan):
    sentence = rng.choice(templates)
    lines.append(sentence.format(word.capitalize() if sentence.startswith("{}") else word))
    if n % 3 == 2:
        lines.append("")
lines += [
    "",
    f'> "I came as a stranger and liked the {pairs[0][0]} and the {pairs[1][0]}."',
    "> A letter from 1987",
    "",
    "Mapping, guesthouse and shipmap stay as they are.",
]
valid = dict(pairs)
count = 0


def better(match):
    global count
    count += 1
    word = valid[match[0].lower()]
    return word[0].upper() + word[1:] if match[0][0].isupper() else word


pattern = re.compile(r"\b(%s)\b" % "|".join(sorted(valid, key=len, reverse=True)), re.I)
done = [line if line.startswith(">") else pattern.sub(better, line) for line in lines]
with open(p["file"], "w", encoding="utf-8") as out:
    out.write("\n".join(lines) + "\n")
print(json.dumps({"done": done, "count": count, "glossary": glossary}))
