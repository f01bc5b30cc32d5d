"""Plays a recorded solution: `solution/play.py` of a task, run inside its container with nothing but the standard library.

`calls.json` holds the calls with the values that were read from earlier results when it was recorded. Where a value comes out
different here (a token that a server draws), it is put in the old one's place from then on.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

HOME = "/home/user"
MEMORY = HOME + "/memory"
MESSAGE_SERVICE = "/workspace/.services/messages"


class Player:
    def __init__(self, environment):
        self.environment = environment
        self.logs = tempfile.mkdtemp(prefix="solution-")
        self.background = {}

    def exec(self, command, workdir=HOME, timeout=60, background=False, stdin=None, dates=None):
        environment = {**self.environment, **(dates or {})}
        name = "p%d" % (len(self.background) + 1) if background else "last"
        paths = [os.path.join(self.logs, name + suffix) for suffix in (".out", ".err")]
        # files, not pipes: what a command leaves running must not be waited for
        with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=os.path.join(HOME, workdir),
                env=environment,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        if background:
            self.background[name] = (process, paths)
            return "started in the background as " + name
        note = ""
        try:
            process.communicate(stdin.encode() if stdin is not None else None, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            note = "[timed out after %g s; the command and all it started was killed]" % timeout
        if not note and process.returncode < 0:
            note = "[killed by signal %d]" % -process.returncode
        elif not note and process.returncode:
            note = "[exit code %d]" % process.returncode
        return shown(paths, note)

    def process(self, action, id=None, data=None):
        if action == "list":
            return "\n".join(self.background)
        process, paths = self.background[id]
        if action == "kill":
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        state = "running" if process.poll() is None else "exited with %d" % process.returncode
        return "%s: %s\n%s" % (id, state, shown(paths, ""))

    def write(self, path, content):
        path = absolute(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as handle:
            handle.write(content.encode("utf-8", "surrogatepass"))
        return "wrote " + path

    def edit(self, path, old, new):
        with open(absolute(path), "rb") as handle:
            text = handle.read()
        if text.count(old.encode()) != 1:
            raise SystemExit("%s: the text to replace occurs %d times" % (path, text.count(old.encode())))
        with open(absolute(path), "wb") as handle:
            handle.write(text.replace(old.encode(), new.encode()))
        return "replaced in " + path

    def read(self, path, offset=None, limit=None):
        with open(absolute(path), encoding="utf-8", errors="replace", newline="") as handle:
            lines = handle.read().splitlines(True)
        start = (offset or 1) - 1
        return "".join(lines[start : start + limit if limit else None])

    def memory_get(self, path, offset=None, limit=None):
        if not path.startswith(MEMORY):
            path = os.path.join(MEMORY, path[len("memory/") :] if path.startswith("memory/") else path)
        return self.read(path, offset, limit)

    def web_fetch(self, url, body=None):
        headers = {"User-Agent": "agent"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, body.encode() if body is not None else None, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay())
        try:
            answer = opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        kept = ("content-type", "location", "retry-after", "link", "etag")
        lines = "\n".join("%s: %s" % (k, v) for k, v in answer.headers.items() if k.lower() in kept)
        return "HTTP %d\n%s\n%s" % (answer.status, lines, answer.read(2000000).decode("utf-8", "replace"))

    def message_send(self, to, text, subject=None):
        with open(MESSAGE_SERVICE, encoding="utf-8") as handle:
            address = handle.read().strip()
        return self.web_fetch(address, json.dumps({"to": to, "subject": subject or "", "text": text}))


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, fp, code, msg, headers, url):
        return None


def absolute(path):
    return os.path.join(HOME, HOME + path[1:] if path == "~" or path.startswith("~/") else path)


def shown(paths, note):
    """Output as the agent's tools show it: that is what the recorded patterns were written for."""
    texts = []
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as handle:
            texts.append(handle.read().rstrip("\n"))
    parts = [texts[0], "[stderr]\n" + texts[1] if texts[1].strip() else "", note]
    return "\n".join(part for part in parts if part) or "(no output)"


def replaced(value, changed):
    """`value` with values of the recording that came out otherwise here put right, in all its strings."""
    if isinstance(value, dict):
        return {key: replaced(item, changed) for key, item in value.items()}
    if isinstance(value, str):
        for old in sorted(changed, key=len, reverse=True):
            value = value.replace(old, changed[old])
    return value


def play(recording, reply_path):
    player = Player(recording["environment"])
    changed, said = {}, []
    for step in recording["steps"]:
        if "say" in step:
            said.append(replaced(step["say"], changed))
            continue
        if step["tool"] not in ("memory_search", "web_search"):  # these only look, with the tools' own eyes
            arguments = replaced(step["arguments"], changed)
            if step["tool"] == "exec":
                arguments["dates"] = step["dates"]
            result = getattr(player, step["tool"])(**arguments)
            sys.stdout.write("%s\n%s\n" % (step["tool"], result))
            for pattern, old in step["reads"]:
                found = re.search(pattern, result, re.MULTILINE)
                new = found.group(1 if found.re.groups else 0).strip() if found else old
                if new != old:
                    changed[old] = new
    with open(reply_path, "w", encoding="utf-8") as handle:
        handle.write("\n\n".join(said) + "\n")
    if not player.background:
        shutil.rmtree(player.logs, ignore_errors=True)


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "calls.json"), encoding="utf-8") as handle:
        play(json.load(handle), sys.argv[1])
