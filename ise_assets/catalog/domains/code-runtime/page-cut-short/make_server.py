"""A small web server that counts characters, names no character set and escapes nothing; and its rows."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
words = p["subject"]["words"]
names = [f"{word} {rng.choice('ABCDEFGH')}" for word in rng.choices(words, k=p["rows"])]
names[rng.randrange(1, p["rows"] - 1)] = f"<{rng.choice(words)}>"
names[0] = f"{words[0]} & {words[1]}"
names[-1] = f"{rng.choice(words)} {rng.randint(2, 9)}"
with open("rows.csv", "w", encoding="utf-8") as handle:
    handle.write(f"{p['subject']['col']};figure\n" + "".join(f"{name};{rng.randint(1, 99)}\n" for name in names))
with open("serve.py", "w", encoding="utf-8") as handle:
    handle.write(f'''"""Shows the {p["subject"]["what"]}: serve.py PORT"""

import csv
import http.server
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def page():
    with open(os.path.join(HERE, "rows.csv"), encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle, delimiter=";"))[1:]
    body = "".join("<tr><td>%s</td><td>%s</td></tr>\\n" % (name, figure) for name, figure in rows)
    head = "<title>{p["subject"]["what"]} {p["title"]}</title>"
    return "<html><head>%s</head><body><table>\\n%s</table></body></html>\\n" % (head, body)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = page()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode("utf-8"))

    def log_message(self, *arguments):
        return None


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
''')
print(json.dumps({"count": len(names), "last": names[-1], "names": names}))
