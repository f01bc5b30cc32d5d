"""There is one draft, an answer to the oldest question, threaded, with total and date."""

import email
import email.policy
import glob
import json
import os

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
found = [f for part in ("cur", "new") for f in glob.glob(glob.escape(p["root"]) + f"/Maildir/.Drafts/{part}/*")]
assert len(found) == 1, f"{len(found)} drafts"
with open(found[0], "rb") as handle:
    mail = email.message_from_binary_file(handle, policy=email.policy.default)
assert truth["address"] in str(mail["To"]), mail["To"]
assert str(mail["In-Reply-To"]).strip() == truth["id"], mail["In-Reply-To"]
assert str(mail["Subject"]) == "Re: " + truth["subject"], mail["Subject"]
body = mail.get_body().get_content()
for part in (truth["total"], truth["order"], p["arrival"]):
    assert part in body, f"{part} is not in {body}"
