"""The merged book has each person once, with all numbers and addresses."""

import json
import os
import re

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
text = open(p["root"] + "/merged.vcf", encoding="utf-8", newline="").read().replace("\r\n", "\n")
text = re.sub(r"\n[ \t]", "", text)
found = []
for block in re.findall(r"BEGIN:VCARD\n(.*?)END:VCARD", text, re.S):
    fields = [line.split(":", 1) for line in block.strip().split("\n")]
    fields = [(head.split(";")[0].upper(), value.strip()) for head, value in fields]
    assert ("VERSION", "3.0") in fields, block
    values = {key: [v for k, v in fields if k == key] for key in ("FN", "TEL", "EMAIL")}
    found.append([*values["FN"], sorted(values["TEL"]), sorted(values["EMAIL"])])
assert len(found) == len(truth["people"]), f"{len(found)} cards, expected {len(truth['people'])}"
wrong = [card for card in found if card not in truth["people"]]
assert not wrong, f"not right: {wrong[0]}"
