"""Writes episodes as WAV files and a feed with wrong lengths, durations and one episode without a file."""

import html
import json
import os
import random
import wave

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
os.makedirs("audio")
topics = [
    "Salt & Pepper",
    "The <first> letter",
    "Fog",
    "What's in a knot?",
    "Zwölf Stühle",
    "Rust",
    "A & B side",
    "Late trains",
    "Owls",
    "Paper & glue",
]
rng.shuffle(topics)
numbers = sorted(rng.sample(range(1, 99), p["episodes"]))
lost, *rest = rng.sample(range(p["episodes"]), p["wrong"] + 1)
right, shown, truth_items = [], [], []
for n, number in enumerate(numbers):
    name, seconds = f"ep{number:02d}-{rng.randrange(16**4):04x}.wav", rng.randint(2, 9)
    extra = rng.randrange(p["rate"])
    size = 44 + p["rate"] * seconds + extra + (extra + p["rate"] * seconds) % 2
    if n != lost:
        with wave.open(f"audio/{name}", "wb") as out:
            out.setparams((1, 1, p["rate"], 0, "NONE", ""))
            out.writeframes(bytes([128 + (n * 7) % 40]) * (p["rate"] * seconds + extra))
        size = os.path.getsize(f"audio/{name}")
    clock = f"0:00:{seconds:02d}"
    said_size, said_clock = size, clock
    if n in rest:
        kind = rng.choice(["size", "clock", "both"])
        said_size = size + rng.choice([-100, 44, 1024]) if kind != "clock" else size
        said_clock = (
            rng.choice([f"0:00:{seconds + 1:02d}", f"0:{seconds:02d}:00", f"{seconds}"]) if kind != "size" else clock
        )
    title = f"<![CDATA[{topics[n]}]]>" if rng.random() < 0.4 or n == 0 else html.escape(topics[n])

    def item(length, duration, title=title, name=name, number=number, n=n):
        return (
            f'    <item>\n      <title>{title}</title>\n      <guid isPermaLink="false">cast-{number:02d}</guid>\n'
            f"      <pubDate>{1 + n * 2:02d} Feb 2026 06:00:00 +0000</pubDate>\n"
            f'      <enclosure url="http://media.example/cast/{name}" length="{length}" type="audio/wav"/>\n'
            f'      <itunes:duration>{duration}</itunes:duration>\n      <description>About {html.escape(topics[n])} &#8211; length="{n}".</description>\n    </item>\n'
        )

    shown.append(item(said_size, said_clock))
    right.append(item(size, clock))
head = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n<rss version="2.0" xmlns:itunes="http://www.itunes.example/dtds/podcast-1.0.dtd">\n'
    f"  <channel>\n    <title>{html.escape(p['show'])}</title>\n    <link>http://cast.example/</link>\n"
)
tail = "  </channel>\n</rss>\n"
with open("feed.xml", "w", encoding="utf-8") as out:
    out.write(head + "".join(shown) + tail)
print(json.dumps({"feed": head + "".join(right) + tail, "count": len(rest), "lost": f"cast-{numbers[lost]:02d}"}))
