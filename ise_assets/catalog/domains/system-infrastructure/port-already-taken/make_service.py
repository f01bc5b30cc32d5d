"""Writes the service that will not start, its settings, the links that clients use, and the older server on the port."""

import json
import os
import random

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
app, other, web = p["app"], p["other"], p["ports"]["web"]

SERVER = '''"""Serves /health of __APP__ on the address in settings.ini."""

import configparser
import http.server
import json
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
settings = configparser.ConfigParser()
settings.read(os.path.join(here, "settings.ini"))
address = (settings["listen"]["host"], settings["listen"].getint("port"))
with open(os.path.join(here, "queue.json"), encoding="utf-8") as handle:
    waiting = len(json.load(handle))


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/health"
        body = json.dumps({"service": "__APP__", "waiting": waiting} if known else {"error": "not found"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body + b"\\n")

    def log_message(self, *_):
        pass


try:
    server = http.server.ThreadingHTTPServer(address, Health)
except OSError as error:
    sys.exit(f"__APP__: cannot listen on {address[0]}:{address[1]}: {error.strerror}")
server.serve_forever()
'''
HOLDER = '''"""The __OTHER__ server of another team."""

import http.server
import sys


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"__OTHER__ of team __TEAM__\\n")

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
'''
os.makedirs(app, exist_ok=True)
os.makedirs(f"neighbours/{other}", exist_ok=True)
with open(f"{app}/server.py", "w", encoding="utf-8") as handle:
    handle.write(SERVER.replace("__APP__", app))
with open(f"neighbours/{other}/serve.py", "w", encoding="utf-8") as handle:
    handle.write(HOLDER.replace("__OTHER__", other).replace("__TEAM__", p["team"]))
with open(f"{app}/settings.ini", "w", encoding="utf-8") as handle:
    handle.write(f"; {app}\n[listen]\nhost = 127.0.0.1\nport = {web}\n\n[work]\nthreads = {rng.randint(2, 8)}\n")
with open(f"{app}/queue.json", "w", encoding="utf-8") as handle:
    json.dump([f"{app}-{rng.randint(1000, 9999)}" for _ in range(p["waiting"])], handle, indent=1)
names = [app, other, *p["neighbours"]]
rng.shuffle(names)
links = {
    name: f"http://127.0.0.1:{web}/" + ("health" if name == app else "")
    if name in (app, other)
    else f"http://{name}.{p['team']}.example/"
    for name in names
}
with open("links.json", "w", encoding="utf-8") as handle:
    json.dump({"services": [{"name": name, "url": url} for name, url in links.items()]}, handle, indent=2)
    handle.write("\n")
print(json.dumps({"waiting": p["waiting"]}))
