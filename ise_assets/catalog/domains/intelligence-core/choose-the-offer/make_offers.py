"""Writes letters with offers in different words and currencies, and the criteria; one delivers too late, one guarantees too little."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
weights, limit = p["weights"], p["limit"]
rates = {"EUR": 1.0, "CHF": rng.choice([1.04, 1.06, 1.08]), "USD": rng.choice([0.86, 0.9, 0.92])}
Path("letters").mkdir()
firms = rng.sample(p["kind"]["firms"], p["offers"])
late, short = firms[0], firms[1]
least = rng.choice([18, 24])
while True:
    offers = {}
    for n, firm in enumerate(firms):
        cur = ["EUR", "CHF", "USD", "EUR", "EUR", "CHF"][n]
        price, freight = rng.randrange(200_000, 900_000) / 100, rng.randrange(5_000, 60_000) / 100
        weeks = rng.random() < 0.4
        days = rng.randrange(2, limit // 7 + 1) * 7 if weeks else rng.randrange(9, limit + 1)
        months = rng.choice([24, 36, 48, 30])
        if firm == late:
            days, weeks = limit + rng.randrange(3, 20), False
        if firm == short:
            months = 12
        total = round((price + freight) * rates[cur], 2)
        offers[firm] = (cur, price, freight, days, weeks, months, total)
    inside = [firm for firm in firms if firm not in (late, short)]
    low = min(offers[f][6] for f in inside)
    fast = min(offers[f][3] for f in inside)
    long = max(offers[f][5] for f in inside)
    score = {f: weights["price"] * low / offers[f][6] + weights["time"] * fast / offers[f][3] + weights["guarantee"] * offers[f][5] / long for f in inside}
    ranked = sorted(inside, key=lambda f: -score[f])
    cents = [abs(round(s * 1000) % 10 - 5) > 1 for s in score.values()]
    gaps = [round(score[a], 2) > round(score[b], 2) for a, b in zip(ranked, ranked[1:], strict=False)]
    halves = [abs((o[1] + o[2]) * rates[o[0]] * 100 % 1 - 0.5) > 0.05 for o in offers.values()]
    if all(gaps) and all(cents) and all(halves):
        break
for firm, (cur, price, freight, days, weeks, months, _) in offers.items():
    time = f"{days // 7} weeks" if weeks else f"{days} days"
    years = months % 12 == 0 and rng.random() < 0.5
    span = f"{months // 12} year{'s' if months > 12 else ''}" if years else f"{months} months"
    pledge = rng.choice([f"with {span} of guarantee", f"under a guarantee of {span}", f"{span} guarantee included"])
    text = rng.choice(
        [
            f"{firm}\n\nDear all,\nwe offer the {p['kind']['what']} at {cur} {price:,.2f}, {pledge}.\nFreight is {cur} {freight:,.2f}. You will have them within {time}.\n",
            f"{firm}\n\nThank you for asking. Delivery takes {time}, {pledge}.\nGoods: {cur} {price:,.2f}\nCarriage: {cur} {freight:,.2f}\n",
            f"{firm}\n\nOur price for the {p['kind']['what']}: {cur} {price:,.2f}.\n{pledge[0].upper()}{pledge[1:]}. Transport comes to another {cur} {freight:,.2f}, and takes {time} from order.\n",
        ]
    )
    Path("letters", f"{firm.lower().replace(' ', '-')}.txt").write_text(text, "utf-8")
Path("criteria.md").write_text(
    f"# How we choose\n\nMusts: delivery within {limit} days, a guarantee of at least {least} months.\n\n"
    "What counts as the price is everything to be paid, goods and freight, in euros:\n"
    f"1 CHF = {rates['CHF']} EUR, 1 USD = {rates['USD']} EUR.\n\n"
    f"Weights: price: {weights['price']}, time: {weights['time']}, guarantee: {weights['guarantee']}.\n\n"
    "Score, among the offers that meet the musts: weight of price x lowest price / price + weight of time x fewest days / days + "
    "weight of guarantee x months / most months.\n",
    "utf-8",
)
rows = [[f, f"{offers[f][6]:.2f}", str(offers[f][3]), str(offers[f][5]), f"{score[f]:.2f}"] for f in ranked]
print(json.dumps({"rows": rows, "winner": ranked[0], "score": f"{score[ranked[0]]:.2f}", "late": late, "short": short}))
