"""Draws batches, some through an intermediate batch, complaints, good ones, and sales; one lot explains all."""

import csv
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
code = lambda name: "".join(word[0] for word in name.split()).upper() + name[1].upper()
lots = {name: [f"{code(name)}-{n}" for n in rng.sample(range(100, 999), 4)] for name in kind["lots"]}
culprit_kind = rng.choice(kind["lots"][:3])
culprit = lots[culprit_kind][0]
inner = kind["lots"][:2] if culprit_kind in kind["lots"][:2] else [culprit_kind, kind["lots"][0]]
while True:
    parts = {}
    bases = [f"base-{n}" for n in range(1, 6)]
    for n, base in enumerate(bases):
        parts[base] = [rng.choice(lots[name][1:]) for name in inner]
        if n in (0, 1):
            parts[base][inner.index(culprit_kind)] = culprit
    finals = [f"{kind['product'][:2].upper()}{n}" for n in rng.sample(range(100, 999), p["batches"])]
    for n, batch in enumerate(finals):
        if n == 3:  # one holds the lot without a base
            parts[batch] = [culprit, *(rng.choice(lots[name]) for name in kind["lots"] if name != culprit_kind)]
        else:
            base = bases[0] if n == 0 else bases[1] if n in (1, 2) else rng.choice(bases)
            parts[batch] = [base, *(rng.choice(lots[name]) for name in kind["lots"] if name not in inner)]

    def held(batch):
        return set().union(*({part} if part not in parts else held(part) for part in parts[batch]))

    bad = [batch for batch in finals if culprit in held(batch)]
    fine = [batch for batch in finals if culprit not in held(batch)]
    complained = [finals[0], finals[1], finals[3]] if len(bad) > 4 else bad[:3]
    good = rng.sample(fine, min(len(fine), 4)) if fine else []
    suspects = set.intersection(*(held(b) for b in complained)) - set().union(*(held(b) for b in good), set())
    unsold = rng.choice(bad[3:]) if len(bad) > 4 else None
    if suspects == {culprit} and len(bad) >= 5 and good:
        break
rows = [(batch, part) for batch, found in parts.items() for part in found]
rng.shuffle(rows)


def write(name, head, lines):
    with open(name, "w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows([head, *lines])


write("records.csv", ("batch", "part"), rows)
write("complaints.csv", ("batch", "what"), [(b, rng.choice(["odd smell", "grey", "bitter", "lumpy"])) for b in complained])
lab = [(b, "good") for b in good] + [(complained[0], "bad")]
rng.shuffle(lab)
write("lab.csv", ("batch", "result"), lab)
sales = [(b, rng.randrange(20, 400)) for b in finals if b != unsold]
sales += [(rng.choice(bad[:2]), rng.randrange(5, 50))]
rng.shuffle(sales)
write("sales.csv", ("batch", "pieces"), sales)
recall = sorted({b for b, _ in sales if b in bad})
print(json.dumps({"lot": culprit, "recall": "\n".join(recall) + "\n", "pieces": sum(n for b, n in sales if b in bad)}))
