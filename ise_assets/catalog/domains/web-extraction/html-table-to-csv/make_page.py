"""Writes the page and the CSV of the year before; prints the truths."""

import csv
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
style = p["style"]
districts = rng.sample(["Altstadt", "Südvorstadt", "Hafen", "Müllerberg", "Ostend", "Höhe", "Klösterle"], p["groups"])
wards = ["Am Anger", "Bäckergasse", "Brühl", "Dammtor", "Eichwald", "Fährhaus", "Gartenstadt", "Grüner Weg", "Kirchhügel", "Lände", "Neue Mühle",
         "Obertor", "Pfarrwiese", "Rosenau", "Schützenplatz", "Seeufer", "Töpfermarkt", "Unterbrücke", "Viehmarkt", "Weiße Taube"]  # fmt: skip
rng.shuffle(wards)
changes = rng.sample(range(-95, 125), 24)


def count(value):
    return f"{value:,}".replace(",", style["thousands"])


def percent(tenths):
    sign = "&minus;" if tenths < 0 else "+" if tenths > 0 else ""
    return f"{sign}{abs(tenths) // 10}{style['decimal']}{abs(tenths) % 10}&nbsp;%"


head = f"<tr><th>District</th><th>Ward</th><th>{p['topic'].title()}</th><th>Change</th></tr>"
body, rows, sums, missing = [], [], [], False
for number, district in enumerate(districts):
    body.append(head)
    size, total = rng.randint(2, 4), 0
    for at in range(size):
        ward, people, tenths = wards.pop(), rng.randint(310, 28900), changes.pop()
        none = at == 0 and (number == 0 or rng.random() < 0.3)
        rows.append([district, ward, str(people), "" if none else f"{tenths / 10:.1f}"])
        total += people
        shown = ward[:3] + "&shy;" + ward[3:] if rng.random() < 0.3 else ward
        mark = "<sup>a)</sup>" if none else "<sup>1</sup>" if rng.random() < 0.25 else ""
        first = f'<th rowspan="{size}">{district}</th>' if at == 0 else ""
        body.append(f"<tr>{first}<td>{shown}</td>\n  <td>{count(people)}{mark}</td><td>{'&ndash;' if none else percent(tenths)}</td></tr>")
    body.append(f'<tr class="sum"><td colspan="2">together</td><td>{count(total)}</td><td></td></tr>')
    sums.append((district, total))
summary = "\n".join(f"<tr><td>{district}</td><td>{count(total)}</td></tr>" for district, total in sums)
page = f"""<html><head><meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">
<title>{p['town']}: {p['topic']} {p['year']}</title></head><body>
<h1>{p['town']} in Zahlen (für {p['year']})</h1>
<table border="1"><caption>{p['topic'].title()} by district</caption>
<tr><th>District</th><th>{p['topic'].title()}</th></tr>
{summary}
</table>
<table border="1"><caption>{p['topic'].title()} by ward, {p['year']}</caption>
{chr(10).join(body)}
</table>
<p><sup>a)</sup> new boundaries, no comparison &middot; <sup>1</sup> estimated</p>
</body></html>
"""
with open(f"/home/user/.local/share/town-{p['ports']['web']}/page.html", "w", encoding="iso-8859-1") as handle:
    handle.write(page)
with open(f"{p['topic']}-{p['year'] - 1}.csv", "w", encoding="utf-8", newline="") as handle:
    writer = csv.writer(handle, delimiter=p["separator"], lineterminator="\n")
    writer.writerow(["district", "ward", p["topic"], "change"])
    for district, ward, people, change in rows:
        before = "" if rng.random() < 0.1 else f"{rng.randint(-60, 60) / 10:.1f}"
        writer.writerow([district, ward, round(int(people) * rng.uniform(0.93, 1.06)), before])
top = max((row for row in rows if row[3]), key=lambda row: float(row[3]))
print(json.dumps({"rows": rows, "top": top[1], "top_change": top[3]}))
