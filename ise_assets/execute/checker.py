"""The checker: runs inside the workspace (stdlib only, isolated mode) and says of each check whether it holds, and why.

Its source is sent through stdin with a call of `main` appended; it prints one JSON list. It is never imported on the host for
more than its source. It is asked four times a session, so what only some kinds need is imported by them, and a script runs in a
fork of it instead of a new interpreter.
"""

import json
import os
import re
import select
import signal
import sys
import time

LIMIT = 500
SCRIPT_TIMEOUT_S = 60


def text(path):
    with open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read(4_000_000)


def file_exists(path):
    return os.path.lexists(path), path


def file_absent(path):
    return not os.path.lexists(path), path


def file_contains(spec):
    found = re.search(spec["pattern"], text(spec["path"]), re.M)
    return bool(found) != spec.get("absent", False), found.group(0) if found else "no match"


def file_equals(spec):
    is_, should = text(spec["path"]).rstrip(), spec["content"].rstrip()
    return is_ == should, is_


def json_at(spec):
    value = json.loads(text(spec["path"]))
    for part in filter(None, spec.get("at", "").split(".")):
        value = value[int(part)] if isinstance(value, list) else value[part]
    shown = json.dumps(value, ensure_ascii=False)
    if spec.get("matches") is not None:
        return bool(re.search(spec["matches"], value if isinstance(value, str) else shown)), shown
    wanted = spec.get("equals")
    return value == wanted or shown == wanted or str(value) == str(wanted), shown


def sqlite(spec):
    import sqlite3

    with sqlite3.connect("file:" + spec["path"] + "?mode=ro", uri=True) as connection:
        rows = [[str(v) for v in row] for row in connection.execute(spec["query"]).fetchmany(200)]
    return rows == [[str(v) for v in row] for row in spec["rows"]], json.dumps(rows)


def command(spec, cwd):
    import subprocess

    done = subprocess.run(
        ["bash", "-c", spec["run"]], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
    )
    out = done.stdout.decode("utf-8", "replace")
    held = done.returncode == spec.get("exit_code", 0)
    if held and spec.get("stdout") is not None:
        held = bool(re.search(spec["stdout"], out, re.M))
    return held, "exit %d: %s%s" % (done.returncode, out, done.stderr.decode("utf-8", "replace"))


def http(spec):
    import urllib.error
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(spec["url"], timeout=10) as answer:
            status, body = answer.status, answer.read(1_000_000).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read(1_000_000).decode("utf-8", "replace")
    held = status == spec.get("status", 200)
    if held and spec.get("contains") is not None:
        held = bool(re.search(spec["contains"], body, re.M))
    return held, "%d: %s" % (status, body)


def digest(pattern):
    import glob
    import hashlib

    total = hashlib.sha256()
    for path in sorted(
        glob.glob(pattern, recursive=True, include_hidden=True)
        if sys.version_info >= (3, 11)
        else glob.glob(pattern, recursive=True)
    ):
        if "__pycache__" in path:
            continue
        state = os.lstat(path)
        total.update(repr((path, oct(state.st_mode))).encode())
        if os.path.islink(path):
            total.update(os.readlink(path).encode("utf-8", "surrogateescape"))
        elif os.path.isfile(path):
            with open(path, "rb") as handle:
                total.update(hashlib.sha256(handle.read()).digest())
    return total.hexdigest()


def script(source, environment, cwd):
    """Runs a check's script in a process of its own: exit code 0 holds, what it prints is the evidence."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os._exit(played(source, environment, cwd, writing))
    os.close(writing)
    with open(reading, "rb", buffering=0) as output:
        status, seen = watched(child, output)
    if status is None:
        seen += b"\nno end after %d s" % SCRIPT_TIMEOUT_S
    return status == 0, seen.decode("utf-8", "replace")


def played(source, environment, cwd, output):
    """The exit code of `source`, run as a program of its own in this (forked) process."""
    code = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, handle in ((0, nothing), (1, output), (2, output)):
            os.dup2(handle, target)
        os.environ.update(environment)
        os.chdir(cwd)
        sys.argv = ["-"]
        exec(compile(source, "<script>", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code & 0xFF


def watched(child, output):
    """The exit status of `child`, None where its time was up and it was killed with its session, and what it printed."""
    seen, until = b"", time.monotonic() + SCRIPT_TIMEOUT_S
    os.set_blocking(output.fileno(), False)
    process = os.pidfd_open(child)
    poller = select.poll()
    poller.register(process, select.POLLIN)
    poller.register(output, select.POLLIN)
    late = over = False
    while not (late or over):
        ready = [handle for handle, _ in poller.poll(max(0.0, until - time.monotonic()) * 1000)]
        late, over = not ready, process in ready
        if (
            over or output.fileno() in ready
        ):  # a background child may hold the pipe for ever: the script's own end counts
            more = output.read(65536)
            while more:
                seen = (seen + more)[:4_000_000]
                more = output.read(65536)
            if more == b"" and not over:
                poller.unregister(output)
    os.close(process)
    if late:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return (None if late else status), seen


def one(item):
    kind, spec, cwd = item["kind"], item["spec"], item["root"]
    if not os.path.isdir(cwd):
        cwd = "/"
    if kind == "unchanged":
        now = digest(spec)
        return item["baseline"] in (None, now), now, now
    if kind == "script":
        held, seen = script(item["source"], item["environment"], cwd)
    elif kind == "command":
        held, seen = command(spec, cwd)
    else:
        held, seen = KINDS[kind](spec)
    return held, seen, None


KINDS = {
    "file_exists": file_exists,
    "file_absent": file_absent,
    "file_contains": file_contains,
    "file_equals": file_equals,
    "json_at": json_at,
    "sqlite": sqlite,
    "http": http,
}


def main(items):
    results = []
    for item in items:
        try:
            held, evidence, baseline = one(item)
        except Exception as error:  # whatever an agent left behind must fail its own check, not the others
            held, evidence, baseline = False, "%s: %s" % (type(error).__name__, error), None
        results.append({"held": bool(held), "evidence": str(evidence)[:LIMIT], "baseline": baseline})
    print(json.dumps(results))
