"""An OpenAI-compatible server that plays the ledger's user and agent, with latency and faults; a process of its own.

    .venv/bin/python -m ise_assets_tests.simulate.model_server --latency-ms 2000 --faults 0.2

It prints its port, then answers on loopback. What it says follows from the request alone, ids included, so that a session that is taken
up again gets the same answers. Faults that break a request are drawn from the seed, the request and how often that has come; those in
what is said from the seed and the request. `/stats` counts what was answered and which faults were put in.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from ise_assets.settings import PROJECT
from ise_assets_tests.simulate.ledger_session import ROOT

BROKEN = ("429", "500", "503", "reset", "cut", "hang", "garbage", "empty", "no_choices")
"""Faults that leave a request without an answer that can be used: it has to come again."""
SAID = {
    "agent": ("malformed", "unknown_tool", "parallel", "megabyte", "refusal"),
    "user": ("prose", "wrong_schema", "drift", "ahead"),
}
"""Faults in what is said, by role."""
PARALLEL = 200
RETRY_AFTER_S = 0.2
_MOST_IN_A_ROW = 2
_TURNS: tuple[list[tuple[str, dict[str, Any]]], ...] = (
    [
        ("exec", {"command": f"cat {ROOT}/ledger.txt"}),
        ("exec", {"command": f"cat {ROOT}/ledger.csv"}),
        ("write", {"path": f"{ROOT}/total.txt", "content": "42\n"}),
        ("read", {"path": f"{ROOT}/total.txt"}),
    ],
    [
        ("exec", {"command": "seq 1 2000"}),
        ("write", {"path": f"{ROOT}/note.txt", "content": "done\n"}),
        ("read", {"path": f"{ROOT}/note.txt"}),
        ("exec", {"command": "true"}),
    ],
    [("exec", {"command": f"cat {ROOT}/{name}"}) for name in ("total.txt", "note.txt", "ledger.csv", "total.txt")],
)
_ANSWERS = ("The sum is 42; it is in total.txt.", "The note is there.", "Checked: total.txt says 42, note.txt done.")
_ASSISTANT_VOICE = "Sure, I'll run the command for you. Would you like me to proceed?"


class ModelServer:
    """What it answers, how late, and with which faults; and the counts of both."""

    def __init__(self, wanted: argparse.Namespace) -> None:
        self.latency_s = wanted.latency_ms / 1000
        self.faults, self.seed, self.hang_s, self.keep = wanted.faults, wanted.seed, wanted.hang_s, wanted.keep
        self.turns = wanted.turns
        self.context_chars, self.revoke_after = wanted.context_chars, wanted.revoke_after
        self.counts: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.by_session: dict[str, Counter[str]] = {}
        self.bodies: list[Any] = []

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """One chat completion."""
        raw = await request.read()
        body = json.loads(raw)
        messages = body["messages"]
        role = "user" if "response_format" in body else "agent"
        key = hashlib.sha256(raw).hexdigest()
        self.counts[f"{role}_requests"] += 1
        self.counts["requests"] += 1
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if self.revoke_after and self.counts["requests"] > self.revoke_after:
            return web.json_response({"error": {"message": "this key was revoked", "code": "invalid"}}, status=401)
        sent = sum(len(str(m.get("content") or "")) for m in messages)
        if self.context_chars and sent > self.context_chars:
            self.counts["too_long"] += 1
            error = {"message": "This model's maximum context length is 1 tokens", "code": "context_length_exceeded"}
            return web.json_response({"error": error}, status=400)
        fault = self._fault(role, key)
        if fault:
            self.counts[f"fault_{fault}"] += 1
            self.by_session.setdefault(_session(messages), Counter())[f"{role} {fault}"] += 1
        if fault in BROKEN:
            return await self._broken(request, fault)
        message = user_message(messages, self.turns) if role == "user" else agent_message(messages, key)
        if any(tool["function"]["name"] == "bash" for tool in body.get("tools") or ()):
            message = in_a_shell(message)
        if fault:
            message = said_wrongly(message, fault, key)
        self.counts[f"{role}_answers"] += 1
        if self.keep:
            self.bodies.append({"session": _session(messages), "role": role, "body": body})
        return web.json_response(_completion(message, sent))

    def _fault(self, role: str, key: str) -> str | None:
        self.seen[key] += 1
        if not self.faults:
            return None
        said = random.Random(f"{self.seed} {key}")
        fault = said.choice((*BROKEN, *SAID[role])) if said.random() < self.faults else None
        if fault in BROKEN and self.seen[key] > said.randint(1, _MOST_IN_A_ROW):
            return None
        return fault

    async def _broken(self, request: web.Request, fault: str) -> web.StreamResponse:
        error = {"error": {"message": f"made up: {fault}", "type": "fault"}}
        if fault == "429":
            return web.json_response(error, status=429, headers={"Retry-After": str(RETRY_AFTER_S)})
        if fault in ("500", "503"):
            return web.json_response(error, status=int(fault))
        if fault == "garbage":
            return web.Response(text="<html>gateway</html>", content_type="text/html", status=502)
        if fault == "hang":
            await asyncio.sleep(self.hang_s)
        if fault == "empty":
            return web.json_response(_completion({"content": ""}, 1))
        if fault == "no_choices":
            return web.json_response({**_completion({}, 1), "choices": []})
        if fault == "cut":
            response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "5000"})
            await response.prepare(request)
            await response.write(b'{"id": "c", "object": "chat.comp')
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def stats(self, request: web.Request) -> web.Response:
        """What was counted, and the bodies where they are kept."""
        return web.json_response({"counts": self.counts, "by_session": self.by_session, "bodies": self.bodies})


def agent_message(messages: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """The ledger agent's next message: four calls a turn of the user, then an answer."""
    turn = min(sum(m["role"] == "user" for m in messages), len(_TURNS)) - 1
    last = max(index for index, message in enumerate(messages) if message["role"] == "user")
    done = sum(
        m["role"] == "assistant" and any(c["id"].startswith("good") for c in m.get("tool_calls") or ())
        for m in messages[last:]
    )
    if done == len(_TURNS[turn]):
        return {"content": _ANSWERS[turn]}
    name, arguments = _TURNS[turn][done]
    return {"content": None, "tool_calls": [_call(f"good{key[:16]}", name, json.dumps(arguments))]}


def in_a_shell(message: dict[str, Any]) -> dict[str, Any]:
    """The same for an agent that has a shell and nothing else."""
    commands = {"exec": "{command}", "write": "printf %s '{content}' > {path}", "read": "cat {path}"}
    calls = []
    for call in message.get("tool_calls") or ():
        command = commands[call["function"]["name"]].format(**json.loads(call["function"]["arguments"]))
        calls.append(_call(call["id"], "bash", json.dumps({"command": command})))
    return {**message, "tool_calls": calls} if calls else message


def user_message(messages: list[dict[str, Any]], turns: int) -> dict[str, Any]:
    """The ledger user's next turn, from the notes under the last answer; it takes `turns` of them in all, three at least."""
    said = sum(message["role"] == "assistant" for message in messages)
    notes = str(messages[-1]["content"]).rpartition("\n\n[workspace]\n")[2]
    turn = {"done": False, "satisfied": True, "reason": "as planned"}
    keys = re.findall(r'- key "([^"]+)"', notes)
    if "You have asked for the final check" in notes:
        turn |= {"message": "", "subgoal": "verification", "done": True}
    elif len(keys) > 1:
        turn |= {"message": "Good. Now a note.txt that says done.", "subgoal": keys[1]}
    elif said < turns - 1:
        turn |= {"message": f"Good. Please look at note.txt once more ({said}).", "subgoal": keys[0]}
    else:
        turn |= {"message": "Please check both files once more.", "subgoal": "verification"}
    return {"content": json.dumps(turn)}


def said_wrongly(message: dict[str, Any], fault: str, key: str) -> dict[str, Any]:
    """What a worse model would have said in the place of `message`."""
    if fault == "malformed":
        return {"content": None, "tool_calls": [_call(f"bad{key[:16]}", "exec", '{"command": "touch /home/user/ran')]}
    if fault == "unknown_tool":
        return {"content": None, "tool_calls": [_call(f"bad{key[:16]}", "teleport", "{}")]}
    if fault == "parallel":
        echo = json.dumps({"command": "true"})
        return {"content": None, "tool_calls": [_call(f"many{n}{key[:16]}", "exec", echo) for n in range(PARALLEL)]}
    if fault == "megabyte":
        if message.get("content"):
            return {"content": message["content"] + "\n" + "x" * 1_000_000}
        return {**message, "content": "y" * 1_000_000}
    if fault == "refusal":
        return {"content": None, "refusal": "I would rather not do that. 42 done"}
    if fault == "prose":
        return {"content": "Well, I guess we are nearly there."}
    if fault == "wrong_schema":
        return {"content": json.dumps({"text": "hello", "subgoal": 3})}
    if fault == "drift":
        return {"content": json.dumps({"message": _ASSISTANT_VOICE, "subgoal": "0.note"})}
    return {"content": json.dumps({"message": "And now the moon.", "subgoal": "9.moon"})}


def _call(identity: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def _session(messages: list[dict[str, Any]]) -> str:
    found = re.search(r"ledger no\. (\d+)", " ".join(str(m.get("content")) for m in messages[:3]))
    return found.group(1) if found else ""


def _completion(message: dict[str, Any], sent: int) -> dict[str, Any]:
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    usage = {"prompt_tokens": sent // 4, "completion_tokens": 10, "total_tokens": sent // 4 + 10}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


class Served:
    """A server that runs: `base` is the address for clients."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}/v1"

    def stats(self) -> dict[str, Any]:
        """What it has counted so far."""
        with urllib.request.urlopen(f"{self.base}/stats", timeout=60) as answer:
            return dict(json.load(answer))


@contextmanager
def serving(**options: float) -> Iterator[Served]:
    """A server in a process of its own, as long as the context lasts; `options` are those of `main`."""
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "ise_assets_tests.simulate.model_server", *given]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Served(int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--turns", type=int, default=3, help="turns of the user in a session")
    parser.add_argument("--faults", type=float, default=0, help="share of requests with a fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hang-s", type=float, default=60, help="how long a hanging request hangs")
    parser.add_argument("--context-chars", type=int, default=0, help="longer requests are refused; 0: none is")
    parser.add_argument("--revoke-after", type=int, default=0, help="requests after which the key is void; 0: never")
    parser.add_argument("--keep", type=int, default=0, help="1: keep the bodies of answered requests")
    server = ModelServer(parser.parse_args())

    async def serve() -> None:
        app = web.Application(client_max_size=256 << 20)
        app.router.add_post("/v1/chat/completions", server.chat)
        app.router.add_get("/v1/stats", server.stats)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
