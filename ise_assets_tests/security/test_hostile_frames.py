"""What comes out of a workspace is untrusted: an agentd that lies costs its own session and nothing else."""

import asyncio
import base64
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable

import pytest

from ise_assets.execute.models import WorkspaceDied
from ise_assets.execute.workspace import Backend, Channel, FileRefused, Limits, Workspace

READY = {"id": 0, "result": {"ready": True}}
SCRIPT = """
import base64, sys, time, zlib
sys.stdout.buffer.write(zlib.decompress(base64.b64decode({hello!r}))); sys.stdout.flush()
sys.stdin.buffer.read(1)
sys.stdout.buffer.write(zlib.decompress(base64.b64decode({answer!r}))); sys.stdout.flush()
if {stays}: time.sleep(60)
"""


def frame(body: object) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return struct.pack(">I", len(data)) + data


class Impostor(Backend):
    """Says hello like agentd, then answers the first request with the given bytes."""

    name = "impostor"

    def __init__(self, answer: bytes, hello: bytes = frame(READY), stays: bool = True) -> None:
        packed = {"hello": hello, "answer": answer}
        texts = {name: base64.b64encode(zlib.compress(body)).decode() for name, body in packed.items()}
        self.source = SCRIPT.format(**texts, stays=stays)

    def probe(self) -> str | None:
        return None

    async def open(self, limits: Limits) -> Channel:
        return Channel(self.fork(), limits)

    def fork(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", self.source]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def sweep(self) -> None:
        return None


NONSENSE = {
    "a frame of 4 GiB": b"\xff\xff\xff\xff{}",
    "no JSON": frame(b"hello"),
    "not UTF-8": frame(b'{"id": 1, "result": {"x": "\xff\xfe"}}'),
    "deep nesting": frame(b"[" * 200_000),
    "deep nesting in a result": frame(b'{"id": 1, "result": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}"),
    "a list": frame([1]),
    "an id that is a list": frame({"id": [1], "result": {}}),
    "an id that is text": frame({"id": "1", "result": {}}),
    "a refusal of a kind that is none": frame({"id": 1, "refused": ["sudo", "x"]}),
    "a refusal without text": frame({"id": 1, "refused": ["denied"]}),
    "a result that is a list": frame({"id": 1, "result": []}),
    "neither result nor refusal": frame({"id": 1}),
    "an exit code that is an object": frame(
        {"id": 1, "result": {"exit_code": {}, "stdout": "", "stderr": "", "duration_ms": 1}}
    ),
    "half a frame": struct.pack(">I", 1000) + b"{",
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_ends_the_workspace_and_nothing_else(answer: bytes) -> None:
    async with await Workspace.start(Impostor(answer, stays=not answer.endswith(b"{")), Limits()) as workspace:
        with pytest.raises(WorkspaceDied):
            await asyncio.wait_for(workspace.exec("true"), 10)
        with pytest.raises(WorkspaceDied):
            await workspace.exec("true")


CALLS: dict[str, Callable[[Workspace], Awaitable[object]]] = {
    "read_bytes": lambda workspace: workspace.read_bytes("/x"),
    "edit": lambda workspace: workspace.edit("/x", "a", "b"),
    "changes": lambda workspace: workspace.changes(),
    "list": lambda workspace: workspace.process("list"),
    "poll": lambda workspace: workspace.process("poll", "p1"),
    "background": lambda workspace: workspace.exec("true", background=True),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_a_result_of_the_wrong_shape_is_a_dead_workspace_not_an_exception_of_ours(
    call: Callable[[Workspace], Awaitable[object]],
) -> None:
    answer = frame({"id": 1, "result": {"data": "%%%", "size": 1, "line": "x", "changes": [["/x"]], "processes": 5}})
    async with await Workspace.start(Impostor(answer), Limits()) as workspace:
        with pytest.raises(WorkspaceDied, match="nonsense"):
            await asyncio.wait_for(call(workspace), 10)


async def test_answers_nobody_asked_for_are_passed_over() -> None:
    good = {"exit_code": 0, "stdout": "x", "stderr": "", "duration_ms": 1.5}
    answer = frame({"id": 99, "result": good}) + frame({"id": -1, "refused": ["denied", "x"]})
    answer += frame({"id": 1, "result": good})
    async with await Workspace.start(Impostor(answer), Limits()) as workspace:
        assert (await workspace.exec("true")).stdout == "x"


async def test_a_refusal_is_data() -> None:
    async with await Workspace.start(Impostor(frame({"id": 1, "refused": ["denied", "no"]})), Limits()) as workspace:
        with pytest.raises(FileRefused, match="no"):
            await workspace.exec("true")


async def test_a_silent_agentd_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ise_assets.execute.workspace.START_TIMEOUT_S", 0.3)
    with pytest.raises(WorkspaceDied, match="in time"):
        await Workspace.start(Impostor(b"", hello=b""), Limits())
