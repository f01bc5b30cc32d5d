"""Writes clippings that name each other as sources by nicknames; one of them alters the figure and others copy that."""

import json
import os
import random
from datetime import date, timedelta
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
right = rng.randint(kind["low"], kind["high"])
wrong = right + rng.choice([-9, 9, 18, 27, 90]) if right > 110 else right + rng.choice([9, 18, 27])
ids = [f"k{n}" for n in rng.sample(range(100, 999), p["clippings"])]
titles = ["the Parish Letter", "a walking guide", "the Valley Courier", "the Heimatbund's yearbook", "a school chronicle", "the evening paper",
          "the county almanac", "a radio talk", "the old vicar's diary", "a tourist leaflet", "the water board's report", "a museum label",
          "the spring lecture", "the mayor's speech", "the hiking club's map", "a church bulletin"]  # fmt: skip
names = dict(zip(ids, rng.sample(titles, len(ids))))
day = date(1931, rng.randint(1, 12), rng.randint(1, 28))
source, figure = {ids[0]: ""}, {ids[0]: right}
altered = rng.randrange(2, p["clippings"] // 2)
for n, clip in enumerate(ids[1:], 1):
    if n == altered:
        source[clip] = rng.choice(ids[:n])
        figure[clip] = wrong
        continue
    choices = ids[:n]
    if n == altered + 1:
        choices = [ids[altered]]  # at least one copies the wrong one
    source[clip] = rng.choice(choices)
    figure[clip] = figure[source[clip]]
ways = ["As {} has it, there were {} {}.", "According to {}, one counted {} {} then.", "{} speaks of {} {}, no less.", "We read in {} that it was {} {}."]
Path("clips").mkdir()
for n, clip in enumerate(ids):
    day += timedelta(days=rng.randint(40, 1400))
    number = f"{figure[clip]:,}".replace(",", rng.choice([",", ".", "'"])) if figure[clip] > 999 else str(figure[clip])
    if source[clip]:
        told = names[source[clip]]
        way = rng.choice(ways)
        text = way.format(told[0].upper() + told[1:] if way.startswith("{}") else told, number, kind["unit"])
        if rng.random() < 0.4:
            text = text.replace(" ", "\n", text[:20].count(" ")).replace("\n", " ", max(0, text[:20].count(" ") - 1))
    else:
        text = f"I went and counted them myself, three days long: {number} {kind['unit']}."
    filler = rng.choice(["The weather was fine.", "More on this another time.", "The editor thanks all readers.", "Photo: private."])
    Path("clips", f"{clip}.txt").write_text(f"id: {clip}\ndate: {day}\n\n{text}\n{filler}\n", "utf-8")
rows = [f"{clip},{names[clip]}" for clip in rng.sample(ids, len(ids))]
Path("names.csv").write_text("clip,name\n" + "\n".join(rows) + "\n", "utf-8")
trail = [[clip, source[clip], str(figure[clip])] for clip in ids]
bad = [clip for clip in ids if figure[clip] != right]
print(json.dumps({"trail": trail, "first": ids[0], "right": right, "altered": ids[altered], "repeater": bad[-1]}))
