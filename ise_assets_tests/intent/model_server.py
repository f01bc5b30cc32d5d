"""A real OpenAI-compatible server on the loopback: it answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Messages = list[dict[str, Any]]
Said = str | int | tuple[int, dict[str, str]]
"""The content to answer with, or the HTTP status to fail with, alone or with the error object."""
Answer = Callable[[Messages], Said]


class ModelServer:
    """Requests in the order they came; `answer` may be replaced at any time."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Messages] = []
        self.requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def reply(self, request: dict[str, Any]) -> Said:
        """What this request gets."""
        messages: Messages = request["messages"]
        with self._lock:
            self.asked.append(messages)
            self.requests.append(request)
        return self.answer(messages)

    def number(self, messages: Messages) -> int:
        """Which request this is, from 1."""
        with self._lock:
            return next(number for number, asked in enumerate(self.asked, 1) if asked is messages)


@contextmanager
def model_server(patch: pytest.MonkeyPatch, answer: Answer) -> Iterator[ModelServer]:
    """Serves `openai/...` models while it is open."""
    state = ModelServer(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            said = state.reply(asked)
            if isinstance(said, str):
                status, body = 200, _completion(said)
            else:
                status, error = said if isinstance(said, tuple) else (said, {"message": "no"})
                body = {"error": error}
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    patch.setenv("OPENAI_API_BASE", f"http://127.0.0.1:{server.server_address[1]}/v1")
    patch.delenv("OPENAI_API_KEY", raising=False)
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def good(messages: Messages) -> str:
    """An utterance that satisfies: the first request as it is given, after the person's name."""
    prompt = messages[1]["content"]
    name, ask = (re.search(rf"^{label}: ([^\n]*)", prompt, re.MULTILINE) for label in ("Person", "Asks first for"))
    assert name and ask
    return as_json(f"{name[1].split(',')[0]} here, please help me. {ask[1]}")


def as_json(utterance: str) -> str:
    """As the writer asks for it."""
    return json.dumps({"utterance": utterance})


def _completion(content: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
