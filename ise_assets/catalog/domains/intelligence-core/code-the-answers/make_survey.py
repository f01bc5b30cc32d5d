"""Writes a codebook and free answers with no, one or several codes, some with words that somebody has no complaint about."""

import csv
import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
groups = p["kind"]["groups"]
book = {
    "price": (["expensive", "price*", "fee*", "costly"], ["it is far too expensive", "the prices went up again", "the fees are a nuisance", "costly, for what you get"]),
    "queue": (["queue*", "wait*", "crowd*"], ["we queued for an hour", "always crowded at noon", "the waiting is the worst", "long queues at the door"]),
    "dirt": (["dirty", "dust*", "rubbish"], ["dirty floors", "rubbish everywhere", "dusty corners"]),
    "staff": (["rude", "unfriendly", "staff"], ["rude people at the desk", "unfriendly at closing time", "staff could smile now and then"]),
    "noise": (["loud*", "noise*", "noisy"], ["so loud that you cannot talk", "noisy music", "the noise from the hall"]),
    "signs": (["sign*", "lost", "map*"], ["no signs at all", "we got lost twice", "a map would help"]),
}
fine = ["All in all a nice place.", "Thank you, see you next year", "My aunt likes it, too.", "Please keep it as it is!", "It was raining, so we stayed long"]
neutral = {"price": "the price", "queue": "waiting", "dirt": "dust", "staff": "the staff", "noise": "noise", "signs": "signs"}
lead = rng.choice(list(book))
rows, coded, tally = [], [], {}
for n in range(p["answers"]):
    wanted = rng.sample(list(book), rng.choice([0, 1, 1, 1, 2, 2, 3]))
    if n < 2:
        wanted = []
    elif lead not in wanted and rng.random() < 0.75:
        wanted.append(lead)
    rng.shuffle(wanted)
    bits = [rng.choice(book[code][1]) for code in wanted]
    if rng.random() < 0.25 or n == 0:
        other = rng.choice([code for code in book if code not in wanted])
        bits.insert(rng.randint(0, len(bits)), f"no complaint about {neutral[other]}")
    text = rng.choice([", and ", "; ", ", "]).join(bits) if bits else rng.choice(fine)
    text = text[0].upper() + text[1:] + rng.choice(["", ".", "!"])
    if rng.random() < 0.2:
        text = f'"{text}", as my neighbour says'
    identity, group = f"a{n + 1:02d}", groups[n % 3] if n < 3 else rng.choice(groups)
    rows.append((identity, group, text))
    coded.append([identity, ";".join(sorted(wanted)) or "none"])
    for code in wanted:
        tally.setdefault(code, dict.fromkeys(groups, 0))[group] += 1
order = rng.sample(range(len(rows)), len(rows))
with open("answers.csv", "w", encoding="utf-8-sig", newline="") as handle:
    csv.writer(handle).writerows([("id", "group", "answer"), *(rows[n] for n in order)])
coded = [coded[n] for n in order]
totals = sorted(((sum(t.values()), code) for code, t in tally.items()), reverse=True)
assert totals[0][0] > totals[1][0], "two codes are equally frequent"
lines = "".join(f"- **{code}**: {', '.join(words)}\n" for code, (words, _) in book.items())
Path("codebook.md").write_text(
    f"# Codebook of the {p['kind']['survey']} survey\n\nAn answer has a code when one of its words is in the list (capitals do not matter); "
    f"a star stands for any ending. A word right after *no complaint about* (or *no complaint about the*) does not count.\n\n{lines}",
    "utf-8",
)
table = ",".join(["code", *groups]) + "\n" + "".join(f"{code},{','.join(str(tally[code][g]) for g in groups)}\n" for code in sorted(tally))
print(json.dumps({"coded": coded, "none": sum(c == "none" for _, c in coded), "table": table, "top": totals[0][1], "top_count": totals[0][0]}))
