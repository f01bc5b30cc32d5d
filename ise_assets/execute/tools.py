"""The agent's tools: what happens when one is called.

Arguments come from a model. They are validated, never repaired: what is malformed is answered with an error that the model can act
on, labelled `invalid_arguments` or `unknown_tool`, and nothing is run.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from ise_assets.execute import web
from ise_assets.execute.models import ExecResult, ToolResult
from ise_assets.execute.tool_schemas import (
    MODELS,
    EditArguments,
    ExecArguments,
    MemoryGetArguments,
    MemorySearchArguments,
    MessageSendArguments,
    ProcessArguments,
    ReadArguments,
    WebFetchArguments,
    WebSearchArguments,
    WriteArguments,
)
from ise_assets.execute.workspace import MAX_READ, FileRefused, Workspace
from ise_assets.intent.template import HOME
from ise_assets.settings import Settings

BASE_TIME = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MEMORY = f"{HOME}/memory"
SEARCH_INDEX = "/workspace/.services/search.jsonl"
"""Where a seed puts what web_search finds: a line a page, `{"url": ..., "title": ..., "text": ...}`."""
MESSAGE_SERVICE = "/workspace/.services/messages"
"""Where a seed puts the address that message_send POSTs `{"to", "subject", "text"}` to, a server of the workspace's own."""
SHELL = ("exec",)
"""All that an agent's program of others can call: its shell, whatever it names the tool to its model."""
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


async def call_tool(
    workspace: Workspace,
    name: str,
    arguments: str,
    *,
    call_index: int,
    settings: Settings,
    offered: Collection[str] = tuple(MODELS),
) -> ToolResult:
    """Run one tool call in the workspace.

    Args:
        arguments: the JSON text exactly as the model wrote it.
        offered: names of the tools that this session has.
        call_index: number of the call in its session; sets the dates git sees, so that commits reproduce.

    Returns:
        The result, failures labelled.

    Raises:
        WorkspaceDied: the workspace is gone.
    """
    if name not in offered:
        return _failed("unknown_tool", f"There is no tool {name!r}. The tools are: {', '.join(offered)}.")
    try:
        parsed = MODELS[name].model_validate_json(arguments or "{}")
    except ValidationError as error:
        return _failed(
            "invalid_arguments", f"The arguments of {name} are not valid: {_explained(error)} Nothing was run."
        )
    call = _Call(workspace, settings, call_index)
    try:
        return await _HANDLERS[name](call, parsed)
    except FileRefused as refusal:
        return _failed(refusal.outcome, f"Error: {refusal}")


def names_of(tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names in a list of OpenAI function schemas."""
    return [str(tool["function"]["name"]) for tool in tools]


def tools_of(dialogue: Mapping[str, Any]) -> Sequence[str]:
    """Names of the tools that ran in a session (a row of `simulated_dialogues`)."""
    return SHELL if dialogue.get("agent_command") else names_of(json.loads(dialogue["tools"]))


def reaches_outside(name: str, arguments: str) -> bool:
    """Whether this call asks for a page that is not of the workspace: if it was allowed, its answer is the world's."""
    if name != "web_fetch":
        return False
    try:
        url = WebFetchArguments.model_validate_json(arguments or "{}").url
    except ValidationError:
        return False
    return not _is_local(url)


class _Call:
    def __init__(self, workspace: Workspace, settings: Settings, index: int) -> None:
        self.workspace = workspace
        self.settings = settings
        self.index = index

    async def exec(self, arguments: ExecArguments) -> ToolResult:
        moment = (BASE_TIME + timedelta(minutes=self.index)).isoformat()
        result = await self.workspace.exec(
            arguments.command,
            timeout_s=arguments.timeout or self.settings.tool_timeout_s,
            workdir=_absolute(arguments.workdir) if arguments.workdir else None,
            stdin=arguments.stdin,
            background=arguments.background,
            env={"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment},
        )
        if result.process_id:
            text = f"started in the background as {result.process_id}"
            return ToolResult("ok", text, stdout=text)
        return _exec_result(result, arguments.timeout or self.settings.tool_timeout_s)

    async def process(self, arguments: ProcessArguments) -> ToolResult:
        if arguments.action != "list" and arguments.id is None:
            return _failed("invalid_arguments", f"{arguments.action} needs the id of a process. Nothing was done.")
        answer = await self.workspace.process(arguments.action, arguments.id, arguments.data)
        if arguments.action == "list":
            lines = [f"{p['id']}  {_state(p)}  {p['command']}" for p in answer["processes"]]
            return self._text("\n".join(lines) or "no background processes")
        parts = [f"{answer['id']}: {_state(answer)}", answer["stdout"].rstrip("\n")]
        if answer["stderr"].strip():
            parts.append("[stderr]\n" + answer["stderr"].rstrip("\n"))
        return self._text("\n".join(part for part in parts if part))

    async def read(self, arguments: ReadArguments) -> ToolResult:
        return await self._lines(_absolute(arguments.path), arguments.offset, arguments.limit)

    async def write(self, arguments: WriteArguments) -> ToolResult:
        data = arguments.content.encode("utf-8", "surrogatepass")
        await self.workspace.write(_absolute(arguments.path), data)
        return self._text(f"wrote {len(data)} bytes to {_absolute(arguments.path)}")

    async def edit(self, arguments: EditArguments) -> ToolResult:
        line = await self.workspace.edit(_absolute(arguments.path), arguments.old, arguments.new)
        return self._text(f"replaced at line {line} of {_absolute(arguments.path)}")

    async def memory_search(self, arguments: MemorySearchArguments) -> ToolResult:
        source = f"{_SEARCH}\nsearch({MEMORY!r}, json.loads({json.dumps(arguments.query)!r}))\n"
        result = await self.workspace.run_python(source)
        if result.exit_code != 0:
            return _failed("tool_error", f"Error: the search failed: {result.stderr[-300:]}")
        return self._text(result.stdout.rstrip("\n"))

    async def memory_get(self, arguments: MemoryGetArguments) -> ToolResult:
        relative = arguments.path.removeprefix("memory/")
        path = posixpath.normpath(
            arguments.path if arguments.path.startswith(MEMORY) else posixpath.join(MEMORY, relative)
        )
        if not path.startswith(MEMORY + "/"):
            return _failed("denied", f"Error: {arguments.path} is not under memory/. Use read for other files.")
        return await self._lines(path, arguments.offset, arguments.limit)

    async def web_fetch(self, arguments: WebFetchArguments) -> ToolResult:
        if _is_local(arguments.url):
            return await self._http(arguments.url)
        hosts = self.settings.web_hosts
        if not web.is_allowed(arguments.url, hosts):
            reachable = ", ".join(["http://127.0.0.1", *sorted(hosts)])
            return _failed(
                "denied", f"Error: {arguments.url} is not a server on this machine; reachable is only {reachable}."
            )
        answer = await web.fetch(arguments.url, self.settings.tool_timeout_s)
        return self._answered(arguments.url, answer)

    async def _http(self, url: str, body: str | None = None) -> ToolResult:
        source = f"{_FETCH}\nfetch(*json.loads({json.dumps([url, body])!r}))\n"
        result = await self.workspace.run_python(source, timeout_s=self.settings.tool_timeout_s)
        if result.timed_out:
            return ToolResult("timeout", f"Error: {url} did not answer in time", stderr="timed out")
        try:
            answer = json.loads(result.stdout)
        except ValueError:
            return _failed("tool_error", f"Error: the fetch failed: {result.stderr[-300:]}")
        return self._answered(url, answer)

    def _answered(self, url: str, answer: Mapping[str, Any]) -> ToolResult:
        if "error" in answer:
            return _failed("tool_error", f"Error: {url}: {answer['error']}")
        text = f"HTTP {answer['status']}\n{answer['headers']}\n{answer['body']}"
        shown, cut = self._cut(text)
        if answer["status"] >= 400:
            return ToolResult("tool_error", shown, stdout="", stderr=shown, truncated=cut)
        return ToolResult("ok", shown, stdout=shown, truncated=cut)

    async def web_search(self, arguments: WebSearchArguments) -> ToolResult:
        wanted = json.dumps([SEARCH_INDEX, arguments.query, arguments.limit or 8])
        result = await self.workspace.run_python(f"{_WEB_SEARCH}\nsearch(*json.loads({wanted!r}))\n")
        if result.exit_code != 0:
            return _failed("tool_error", f"Error: the search failed: {result.stderr.strip()[-300:]}")
        return self._text(result.stdout.rstrip("\n"))

    async def message_send(self, arguments: MessageSendArguments) -> ToolResult:
        try:
            address = (await self.workspace.read_bytes(MESSAGE_SERVICE, 2000)).decode("utf-8", "replace").strip()
        except FileRefused:
            return _failed("tool_error", "Error: no chat or mail service runs on this machine. Nothing was sent.")
        if not _is_local(address):
            return _failed("denied", "Error: the service's address is not on this machine. Nothing was sent.")
        body = json.dumps({"to": arguments.to, "subject": arguments.subject or "", "text": arguments.text})
        return await self._http(address, body)

    async def _lines(self, path: str, offset: int | None, limit: int | None) -> ToolResult:
        data = await self.workspace.read_bytes(path)
        if len(data) >= MAX_READ:
            return _failed(
                "tool_error", f"Error: {path} is larger than 4 MiB. Look at parts of it with exec (head, tail, sed -n)."
            )
        if b"\0" in data[:8192]:
            return _failed(
                "tool_error",
                f"Error: {path} is not text ({len(data)} bytes). Look at it with exec (file, xxd, strings).",
            )
        text = data.decode("utf-8", "replace")
        if offset is not None or limit is not None:
            lines = text.splitlines(keepends=True)
            start = (offset or 1) - 1
            if start >= len(lines) > 0:
                return _failed(
                    "invalid_arguments", f"Error: {path} has {len(lines)} lines; offset {offset} is past its end."
                )
            text = "".join(lines[start : start + limit if limit else None])
        return self._text(text)

    def _text(self, text: str) -> ToolResult:
        shown, cut = self._cut(text)
        return ToolResult("ok", shown, stdout=shown, truncated=cut)

    def _cut(self, text: str) -> tuple[str, bool]:
        room = self.settings.tool_output_chars
        if len(text) <= room:
            return text, False
        left = len(text) - room
        return f"{text[: room // 2]}\n[output cut: {left} characters left out]\n{text[-(room - room // 2) :]}", True


_HANDLERS: dict[str, Callable[[_Call, Any], Awaitable[ToolResult]]] = {name: getattr(_Call, name) for name in MODELS}


def _exec_result(result: ExecResult, timeout_s: float) -> ToolResult:
    parts = [result.stdout.rstrip("\n")]
    if result.stderr.strip():
        parts.append("[stderr]\n" + result.stderr.rstrip("\n"))
    if result.timed_out:
        parts.append(f"[timed out after {timeout_s:g} s; the command and all it started was killed]")
        outcome: Any = "timeout"
    elif result.signal is not None:
        parts.append(f"[killed by signal {result.signal}]")
        outcome = "killed"
    elif result.exit_code != 0:
        parts.append(f"[exit code {result.exit_code}]")
        outcome = "nonzero_exit"
    else:
        outcome = "ok"
    content = "\n".join(part for part in parts if part) or "(no output)"
    return ToolResult(
        outcome, content, result.exit_code, result.stdout, result.stderr, result.truncated, result.duration_ms
    )


def _failed(outcome: Any, message: str) -> ToolResult:
    return ToolResult(outcome, message, stderr=message)


def _is_local(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.netloc.rpartition("@")[2].rsplit(":", 1)[0] if not parts.netloc.endswith("]") else parts.netloc
    return parts.scheme == "http" and host in _LOOPBACK


def _absolute(path: str) -> str:
    if path == "~" or path.startswith("~/"):
        path = HOME + path[1:]
    return posixpath.join(HOME, path)


def _state(process: dict[str, Any]) -> str:
    return "running" if process["running"] else f"exited with {process['exit_code']}"


def _explained(error: ValidationError) -> str:
    return " ".join(
        f"{'.'.join(str(part) for part in e['loc']) or 'the JSON'}: {e['msg']}."
        for e in error.errors(include_url=False)[:4]
    )


_SEARCH = """
import json, os, re

def search(root, query):
    words = re.findall(r"\\w+", query.lower())
    found = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if not name.endswith((".md", ".txt")):
                continue
            path = os.path.join(folder, name)
            try:
                with open(path, encoding="utf-8", errors="replace") as handle:
                    lines = handle.read(1000000).splitlines()
            except OSError:
                continue
            short = os.path.relpath(path, root)
            for number, line in enumerate(lines, 1):
                text = (short + " " + line).lower()
                score = sum(word in text for word in words)
                if score and line.strip() and any(word in line.lower() for word in words):
                    found.append((-score, short, number, line.strip()[:200]))
    found.sort()
    for _, short, number, line in found[:12]:
        print("%s:%d: %s" % (short, number, line))
    if not found:
        print("nothing found for: " + query)
"""

_WEB_SEARCH = """
import json, os, re, sys

def search(index, query, limit):
    words = set(re.findall(r"\\w+", query.lower()))
    if not os.path.exists(index):
        sys.exit("there is no search index on this machine")
    found = []
    with open(index, encoding="utf-8", errors="replace") as handle:
        for line in handle:
            try:
                page = json.loads(line)
            except ValueError:
                continue
            title, text = str(page.get("title", "")), str(page.get("text", ""))
            score = 3 * sum(word in title.lower() for word in words) + sum(word in text.lower() for word in words)
            if score:
                lines = [part.strip() for part in re.split(r"[\\n.]", text) if part.strip()]
                best = max(lines, key=lambda part: sum(word in part.lower() for word in words), default="")
                found.append((-score, str(page.get("url", "")), title, best[:200]))
    found.sort()
    for number, (_, url, title, text) in enumerate(found[:limit], 1):
        print("%d. %s\\n   %s\\n   %s" % (number, title, url, text))
    if not found:
        print("nothing found for: " + query)
"""

_FETCH = """
import json, urllib.error, urllib.request

class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, fp, code, msg, headers, url):
        return None

def fetch(url, body):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay())
    try:
        try:
            headers = {"User-Agent": "agent", **({"Content-Type": "application/json"} if body is not None else {})}
            data = body.encode("utf-8", "replace") if body is not None else None
            answer = opener.open(urllib.request.Request(url, data, headers), timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        kept = ("content-type", "location", "retry-after", "link", "etag")
        headers = "\\n".join("%s: %s" % (k, v) for k, v in answer.headers.items() if k.lower() in kept)
        body = answer.read(2000000).decode("utf-8", "replace")
        print(json.dumps({"status": answer.status, "headers": headers, "body": body}))
    except (OSError, ValueError) as error:
        print(json.dumps({"error": str(getattr(error, "reason", error))}))
"""
