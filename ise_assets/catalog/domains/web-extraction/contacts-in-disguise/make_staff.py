"""Writes an overview and a page for each unit, with addresses in five disguises, people who left and people who decline."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
kind = p["kind"]
folder = f"/home/user/.local/share/staff-{p['ports']['web']}"
os.makedirs(folder)
first = ["Ada", "Bela", "Cleo", "Dario", "Edda", "Finn", "Greta", "Hamid", "Ines", "Jonas", "Kaya", "Lars", "Mira", "Nils"]
last = ["Abel", "Berg", "Cortez", "Dahl", "Emery", "Falk", "Grau", "Hult", "Imber", "Janko", "Kern", "Lund", "Moor", "Nagy"]
names = [f"{a} {b}" for a, b in zip(rng.sample(first, len(first)), rng.sample(last, len(last)), strict=True)][: p["people"]]
units = {unit: [] for unit in kind["units"][: rng.randint(3, 5)]}
states = ["listed"] * len(names)
for n in rng.sample(range(len(names)), 5):
    states[n] = "former"
for n in rng.sample([n for n, s in enumerate(states) if s == "former"], 3):
    states[n] = "refused"
styles = rng.sample(["entities", "words", "back", "data", "hidden"], 5)
pages = {unit: "" for unit in units}


def disguised(mail, style):
    user, host = mail.split("@")
    if style == "entities":
        return "<span class=\"m\">" + "".join(f"&#{ord(c)};" for c in mail) + "</span>"
    if style == "words":
        left, right = rng.choice(["[]", "()"])
        return f'<span class="m">{user.replace(".", f" {left}dot{right} ")} {left}at{right} {host.replace(".", f" {left}dot{right} ")}</span>'
    if style == "back":
        return f'<span class="m" dir="rtl">{mail[::-1]}</span>'
    if style == "data":
        return f'<span class="m" data-user="{user}" data-host="{host}"></span>'
    return f'<span class="m">{user}<span hidden>nospam</span>@<em>{host}</em></span>'


for n, (name, state) in enumerate(zip(names, states, strict=True)):
    unit = list(units)[n % len(units)]
    mail = name.lower().replace(" ", ".") + "@" + kind["host"]
    shown = disguised(mail, styles[n % 5])
    note = ""
    if state == "refused":
        note = f"<i>{rng.choice(['please do not put me on lists', 'not for mailing lists', 'may not be listed elsewhere'])}</i>"
    elif rng.random() < 0.3:
        note = f"<i>{rng.choice(['mornings only', 'by appointment', 'room 12'])}</i>"
    if state == "listed":
        units[unit].append({"name": name, "email": mail})
    gone = ' class="former"' if state == "former" else ""
    pages[unit] += f"<li{gone}><b>{name}</b> {note} {shown}</li>\n"
for unit, body in pages.items():
    with open(f"{folder}/{unit}.html", "w", encoding="utf-8") as handle:
        handle.write(f"<!doctype html><html><body>\n<h2>{unit}</h2>\n<ul>\n{body}</ul>\n<br></body></html>\n")
with open(f"{folder}/staff.html", "w", encoding="utf-8") as handle:
    links = "".join(f'<li><a href="{unit}.html">{unit}</a></li>\n' for unit in units)
    handle.write(f"<!doctype html><html><body>\n<h1>{kind['place']}</h1>\n<ul>\n{links}</ul>\n<br></body></html>\n")
listed = {unit: sorted(people, key=lambda one: one["name"]) for unit, people in units.items()}
print(json.dumps({"contacts": listed, "listed": states.count("listed"), "refused": states.count("refused")}))
