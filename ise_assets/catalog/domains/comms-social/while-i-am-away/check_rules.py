"""Evaluates the rules for senders of every kind."""

import configparser
import fnmatch
import json
import os

p = json.loads(os.environ["PARAMS"])
rules = configparser.ConfigParser(interpolation=None)
rules.read(p["root"] + "/away.ini", encoding="utf-8")


def answer(sender):
    for name in rules.sections():
        if any(fnmatch.fnmatch(sender, mask) for mask in rules[name]["match"].split()):
            return rules[name]["answer"]
    return ""


for sender in ("news@lists.example", "birds-request@groups.example", "owner-x@y.example", "noreply@shop.example", "no-reply@a.example",
               "mailer-daemon@host.example", "postmaster@host.example"):  # fmt: skip
    assert not answer(sender), f"{sender} would be answered: {answer(sender)}"
urgent = answer("desk@" + p["urgent"])
assert str(p["phone"]) in urgent and p["deputy_mail"] not in urgent, f"{p['urgent']} gets: {urgent}"
for sender in ("ann@home.example", "office@" + p["urgent"] + ".org"):
    said = answer(sender)
    assert all(part in said for part in (p["until"], p["deputy"], p["deputy_mail"])), f"{sender} gets: {said}"
    assert str(p["phone"]) not in said.replace(p["until"], ""), f"{sender} gets: {said}"  # 202 is in 2026
