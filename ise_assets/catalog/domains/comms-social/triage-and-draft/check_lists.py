"""Exactly the mails with the header List-Unsubscribe have moved."""

import email
import glob
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])


def box(name):
    paths = [f for part in ("cur", "new") for f in glob.glob(glob.escape(p["root"]) + f"/Maildir{name}/{part}/*")]
    return ["List-Unsubscribe" in email.message_from_bytes(open(f, "rb").read()) for f in paths]


assert box("/.Lists") == [True] * truth["lists"], box("/.Lists")
assert box("") == [False] * truth["rest"], box("")
