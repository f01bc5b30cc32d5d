"""Writes a shop's pages (members' price printed, public price in JSON-LD) and last week's list."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
folder = f"/home/user/.local/share/shop-{p['ports']['web']}"
os.makedirs(f"{folder}/p")
names = rng.sample(p["kind"]["names"], len(p["kind"]["names"]))
skus = rng.sample([f"{letter}-{n}" for letter in "ABCK" for n in range(101, 200)], len(names))
fates = ["up", "up", "down", "sold out", "gone", "new", "same", *rng.choices(["up", "same", "down", "same"], k=3)][: p["shown"]]
rng.shuffle(fates)
old, changes, links, ratios = [], [], [], set()
for name, sku, fate in zip(names, skus, fates, strict=False):
    price = rng.randrange(400, 9000) / 100
    now = price
    if fate in ("up", "down"):
        while True:
            now = round(price * (1 + rng.randrange(4, 30) / 100 * (1 if fate == "up" else -1)), 2)
            if now != price and round(now / price, 3) not in ratios:
                ratios.add(round(now / price, 3))
                break
    if fate != "new":
        old.append(f"{sku},{name},{price:.2f}")
    if fate == "gone":
        changes.append([sku, "gone", f"{price:.2f}", ""])
        continue
    stock = "SoldOut" if fate == "sold out" else "InStock"
    public = {"@type": "Offer", "price": f"{now:.2f}", "priceCurrency": "EUR", "availability": f"https://schema.org/{stock}"}
    member = {**public, "price": f"{now * 0.9:.2f}", "eligibleCustomerType": "Member"}
    abroad = {**public, "price": f"{now * 1.07:.2f}", "priceCurrency": "CHF"}
    offers = rng.choice([[member, public], [public, member, abroad], [abroad, member, public]]) if rng.random() < 0.8 else public
    data = {"@context": "https://schema.org", "@type": "Product", "name": name, "sku": sku, "offers": offers}
    path = f"/p/{name.replace(' ', '-')}.html"
    with open(folder + path, "w", encoding="utf-8") as handle:
        handle.write(
            f'<!doctype html><html><head><meta charset="utf-8">\n<script type="application/ld+json">{json.dumps(data)}</script>\n</head>'
            f'<body><h1>{name}</h1>\n<p class="big">{now * 0.9:.2f} for members!</p>\n</body></html>\n'
        )
    links.append(f'<li><a href="{path}">{name}</a></li>')
    if fate == "sold out":
        changes.append([sku, "sold out", f"{price:.2f}", ""])
    elif fate == "new":
        changes.append([sku, "new", "", f"{now:.2f}"])
    elif fate != "same":
        changes.append([sku, fate, f"{price:.2f}", f"{now:.2f}"])
rng.shuffle(old)
rng.shuffle(links)
with open(f"{folder}/index.html", "w", encoding="utf-8") as handle:
    handle.write("<!doctype html><html><body><ul>\n" + "\n".join(links) + "\n</ul></body></html>\n")
with open("last-week.csv", "w", encoding="utf-8-sig", newline="") as handle:
    handle.write("sku,name,price\r\n" + "\r\n".join(old) + "\r\n")
ups = [row for row in changes if row[1] == "up"]
top = max(ups, key=lambda row: float(row[3]) / float(row[2]))[0]
print(json.dumps({"rows": sorted(changes), "rises": len(ups), "top": top}))
