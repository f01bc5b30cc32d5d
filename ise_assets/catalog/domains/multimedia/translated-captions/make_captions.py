"""Writes English captions as WebVTT and a table of translations, some unchecked or empty; prints the result."""

import html
import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
lines = [
    ("Put your gloves on first.", "Zieh zuerst die Handschuhe an.", "Mets d'abord tes gants.", "Ponte primero los guantes."),
    ("Now we wait for ten minutes.", "Jetzt warten wir zehn Minuten.", "Maintenant, on attend dix minutes.", "Ahora esperamos diez minutos."),
    ("Salt & water, nothing else.", "Salz & Wasser, sonst nichts.", "Du sel & de l'eau, rien d'autre.", "Sal y agua, nada más."),
    ("Look at the left edge.", "Schau auf die linke Kante.", "Regarde le bord gauche.", "Mira el borde izquierdo."),
    ("This is where most people slip.", "Hier rutschen die meisten aus.", "C'est ici que l'on glisse.", "Aquí resbala casi todo el mundo."),
    ("Slowly, with both hands.", "Langsam, mit beiden Händen.", "Lentement, à deux mains.", "Despacio, con las dos manos."),
    ("Do you hear the difference?", "Hörst du den Unterschied?", "Tu entends la différence ?", "¿Oyes la diferencia?"),
    ("Q&A follows at the end.", "Fragen & Antworten am Ende.", "Questions & réponses à la fin.", "Preguntas y respuestas al final."),
    ("The door stays open.", "Die Tür bleibt offen.", "La porte reste ouverte.", "La puerta queda abierta."),
    ("Never reach over it.", "Greif nie darüber.", "Ne passe jamais la main dessus.", "No pases nunca la mano por encima."),
    ("If it smells sour, it is ready.", "Wenn es sauer riecht, ist es fertig.", "Si ça sent l'aigre, c'est prêt.", "Si huele agrio, está listo."),
    ("Ask if you are not sure.", "Frag, wenn du unsicher bist.", "Demande si tu n'es pas sûr.", "Pregunta si no estás seguro."),
    ("We begin again from the top.", "Wir fangen noch einmal von vorne an.", "On reprend depuis le début.", "Empezamos otra vez desde arriba."),
    ("Thank you for watching.", "Danke fürs Zuschauen.", "Merci d'avoir regardé.", "Gracias por mirar."),
    ("Where does the light come from?", "Woher kommt das Licht?", "D'où vient la lumière ?", "¿De dónde viene la luz?"),
    ("Hold it just below the knot.", "Halte es knapp unter dem Knoten.", "Tiens-le juste sous le nœud.", "Sujétalo justo debajo del nudo."),
]  # fmt: skip
chosen = rng.sample(lines, p["cues"] + 2)
order = ["de", "fr", "es"]
column = 1 + order.index(p["lang"])
unchecked, empty = rng.sample(range(len(chosen)), 3), []
table = {}
rows = []
for n, line in enumerate(chosen):
    cells = list(line[1:])
    checked = "no" if n in unchecked[:2] else "yes"
    if n == unchecked[2]:
        cells[column - 1] = ""
    if checked == "yes" and cells[column - 1]:
        table[line[0]] = cells[column - 1]
    rows.append(f"{n + 1};{line[0]};{';'.join(cells)};{checked}")
rng.shuffle(rows)
with open("translations.csv", "w", encoding="utf-8", newline="") as out:
    out.write("\ufeffkey;en;de;fr;es;checked\r\n" + "".join(row + "\r\n" for row in rows))
speakers = rng.sample(["Guide", "Ana", "Trainer", "Voice", "Mr. Odd", "Kid"], 2)
blocks, done, missing = ["WEBVTT - " + p["film"]], ["WEBVTT - " + p["film"]], []
note = "NOTE\nReviewed twice. Ask if you are not sure."
blocks.append(note)
done.append(note)
moment = rng.randint(500, 4000)


def stamp(t):
    return f"{t // 3600000:02d}:{t // 60000 % 60:02d}:{t // 1000 % 60:02d}.{t % 1000:03d}"


texts = [line[0] for line in chosen]
rng.shuffle(texts)
while texts:
    here = [texts.pop() for _ in range(min(len(texts), rng.choice([1, 1, 2])))]
    end = moment + rng.randint(1800, 4200)
    setting = rng.choice(["", "", " line:10%", " align:start position:20%"])
    head = (f"{len(blocks)}\n" if rng.random() < 0.5 else "") + f"{stamp(moment)} --> {stamp(end)}{setting}"
    tag = rng.choice(["", f"<v {speakers[0]}>", f"<v {speakers[1]}>"])
    blocks.append("\n".join([head, *(tag * (n == 0) + html.escape(t, quote=False) for n, t in enumerate(here))]))
    done.append(
        "\n".join([head, *(tag * (n == 0) + html.escape(table.get(t, t), quote=False) for n, t in enumerate(here))])
    )
    missing += [t for t in here if t not in table]
    moment = end + rng.randint(80, 2500)
with open(p["stem"] + ".en.vtt", "w", encoding="utf-8") as out:
    out.write("\n\n".join(blocks) + "\n")
print(json.dumps({"done": "\n\n".join(done) + "\n", "missing": missing, "count": len(missing)}))
