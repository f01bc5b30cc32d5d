"""Writes a palette in three notations, a handbook page and its entry in the search index; prints what fails."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kinds = ["small print", "headings", "door plates", "outdoor signs"]
minima = dict(zip(kinds, rng.sample([3.2, 4.1, 5.3, 6.4, 7.2], 4)))
minimum = minima[p["kind"]]


def luminance(rgb):
    parts = [c / 255 for c in rgb]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def ratio(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def written(rgb):
    if all(c % 17 == 0 for c in rgb) and rng.random() < 0.8:
        return "#" + "".join("%x" % (c // 17) for c in rgb)
    return rng.choice(["#%02x%02x%02x", "#%02X%02X%02X", "rgb(%d, %d, %d)"]) % tuple(rgb)


def colour():
    return [rng.randrange(16) * 17 for _ in "rgb"] if rng.random() < 0.4 else [rng.randrange(1, 255) for _ in "rgb"]


names = [f"{a} {n}" for a in ("entry", "panel", "label", "notice", "corner") for n in range(10, 99)]
names = rng.sample(names, p["entries"])
entries, failing, fixed, seen = [], [], {}, set()
fails = rng.randint(3, p["entries"] // 2)
for n, name in enumerate(names):
    while True:
        text, back = colour(), colour()
        value = ratio(text, back)
        clear = abs(value - minimum) > 0.1 and abs(value * 100 % 1 - 0.5) > 0.05 and round(value, 2) not in seen
        far = abs(ratio((0, 0, 0), back) - ratio((255, 255, 255), back)) > 0.3
        if clear and far and (value < minimum) == (n < fails):
            break
    seen.add(round(value, 2))
    shown = "rgb(%d, %d, %d)" % tuple(text) if n == 0 else written(text)
    entries.append({"name": name, "text": shown, "background": written(back)})
    if n < fails:
        failing.append([name, f"{value:.2f}"])
        fixed[name] = "#000000" if ratio((0, 0, 0), back) > ratio((255, 255, 255), back) else "#ffffff"
rng.shuffle(entries)
with open(p["file"] + ".json", "w", encoding="utf-8") as out:
    json.dump(entries, out, indent=2)
    out.write("\n")
site = f"{p['home']}/.local/share/handbook-{p['ports']['web']}"
os.makedirs(site)
with open(site + "/contrast.txt", "w", encoding="utf-8") as out:
    out.write(
        "Contrast handbook\n\nText and background must differ at least by these ratios (WCAG relative luminance).\n\n"
    )
    out.write("".join(f"{kind.capitalize()}: at least {value} to 1\n" for kind, value in minima.items()))
    out.write("\nThe ratios of the old edition (4.5 to 1 for everything) are void.\n")
with open(site + "/paper.txt", "w", encoding="utf-8") as out:
    out.write("Paper handbook\n\nUncoated stock for everything that people write on.\n")
base = f"http://127.0.0.1:{p['ports']['web']}"
pages = [
    {"url": base + "/paper.txt", "title": "Paper handbook", "text": "Which stock for which print. Minimum weight of door plates."},
    {"url": base + "/contrast.txt", "title": "Contrast handbook", "text": "Minimum contrast ratio of text and background for signs, plates, headings and small print."},
]  # fmt: skip
os.makedirs("/workspace/.services", exist_ok=True)
with open("/workspace/.services/search.jsonl", "a", encoding="utf-8") as out:
    out.write("".join(json.dumps(page) + "\n" for page in pages))
failing.sort(key=lambda pair: float(pair[1]))
print(
    json.dumps({"failing": failing, "fixed": fixed, "count": len(failing), "minimum": str(minimum), "entries": entries})
)
