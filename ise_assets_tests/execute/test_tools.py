"""Tools tell the truth: what fails is labelled, what is malformed is never run."""

import json

import pytest

from ise_assets.execute.models import ToolResult
from ise_assets.execute.tool_schemas import TOOLS, offered_tools
from ise_assets.execute.tools import call_tool, names_of, reaches_outside
from ise_assets.execute.workspace import Workspace
from ise_assets.settings import Settings

SETTINGS = Settings(tool_output_chars=1000, tool_timeout_s=2)


async def call(workspace: Workspace, name: str, **arguments: object) -> ToolResult:
    return await call_tool(workspace, name, json.dumps(arguments), call_index=3, settings=SETTINGS)


def test_every_tool_has_a_closed_schema_with_a_description() -> None:
    names = [tool["function"]["name"] for tool in TOOLS]
    files, notes = ["read", "write", "edit"], ["memory_search", "memory_get"]
    assert names == ["exec", "process", *files, *notes, "web_fetch", "web_search", "message_send"]
    for tool in TOOLS:
        parameters = tool["function"]["parameters"]
        assert parameters["additionalProperties"] is False
        assert all("description" in value and "type" in value for value in parameters["properties"].values())


@pytest.mark.parametrize(
    ("name", "arguments", "outcome"),
    [
        ("exec", '{"command": "touch /home/user/ran', "invalid_arguments"),
        ("exec", '{"cmd": "touch /home/user/ran"}', "invalid_arguments"),
        ("exec", '{"command": 5}', "invalid_arguments"),
        ("exec", '["touch /home/user/ran"]', "invalid_arguments"),
        ("bash", '{"command": "touch /home/user/ran"}', "unknown_tool"),
    ],
)
async def test_what_is_malformed_is_never_run(workspace: Workspace, name: str, arguments: str, outcome: str) -> None:
    result = await call_tool(workspace, name, arguments, call_index=0, settings=SETTINGS)
    assert result.outcome == outcome
    assert (await workspace.exec("ls")).stdout == ""


async def test_a_failing_command_is_shown_with_its_stderr_and_code(workspace: Workspace) -> None:
    result = await call(workspace, "exec", command="echo a; ls /nowhere")
    assert result.outcome == "nonzero_exit"
    assert result.exit_code == 2
    assert result.content.startswith("a\n[stderr]\n")
    assert result.content.endswith("[exit code 2]")


async def test_a_timeout_is_labelled_so(workspace: Workspace) -> None:
    result = await call(workspace, "exec", command="sleep 30", timeout=1)
    assert result.outcome == "timeout"
    assert "timed out after 1 s" in result.content


async def test_missing_and_forbidden_files_have_their_own_outcomes(workspace: Workspace) -> None:
    assert (await call(workspace, "read", path="nowhere.txt")).outcome == "not_found"
    assert (await call(workspace, "write", path="/usr/x", content="")).outcome == "denied"
    assert (await call(workspace, "web_fetch", url="http://192.0.2.1/")).outcome == "denied"


async def test_read_gives_ranges_and_refuses_binary(workspace: Workspace) -> None:
    await call(workspace, "write", path="notes/a.txt", content="1\n2\n3\n4\n")
    assert (await call(workspace, "read", path="~/notes/a.txt", offset=2, limit=2)).content == "2\n3\n"
    await workspace.write("/home/user/b.bin", b"\0\1")
    assert (await call(workspace, "read", path="b.bin")).outcome == "tool_error"


async def test_long_results_say_what_was_cut(workspace: Workspace) -> None:
    await workspace.write("/home/user/long.txt", b"x" * 5000)
    result = await call(workspace, "read", path="long.txt")
    assert result.truncated
    assert "[output cut: 4000 characters left out]" in result.content


async def test_memory_is_searched_and_read_and_nothing_beside_it(workspace: Workspace) -> None:
    await workspace.put_files([("/home/user/memory/team/rules.md", b"# Rules\nInvoices go out on Friday.\n", 0o644)])
    found = await call(workspace, "memory_search", query="invoices friday")
    assert found.content == "team/rules.md:2: Invoices go out on Friday."
    assert (
        await call(workspace, "memory_get", path="team/rules.md", offset=2)
    ).content == "Invoices go out on Friday.\n"
    assert (await call(workspace, "memory_get", path="../secret.txt")).outcome == "denied"


async def test_web_fetch_reaches_a_server_of_the_workspace_and_labels_errors(workspace: Workspace) -> None:
    await workspace.write("/home/user/www/index.html", b"<p>hello</p>")
    await workspace.exec("exec python3 -m http.server 8123 --bind 127.0.0.1 -d www", background=True)
    ready = "for i in $(seq 200); do (exec 3<>/dev/tcp/127.0.0.1/8123) 2>/dev/null && exit 0; sleep 0.02; done; exit 1"
    assert (await workspace.exec(ready)).exit_code == 0
    assert "<p>hello</p>" in (await call(workspace, "web_fetch", url="http://127.0.0.1:8123/")).content
    missing = await call(workspace, "web_fetch", url="http://127.0.0.1:8123/none")
    assert missing.outcome == "tool_error"
    assert missing.content.startswith("HTTP 404")
    assert (await call(workspace, "web_fetch", url="http://127.0.0.1:1/")).outcome == "tool_error"


async def test_commit_ids_depend_on_the_call_number_only(workspace: Workspace) -> None:
    command = "git -c user.name=u -c user.email=u@example.com commit -q --allow-empty -m x && git rev-parse HEAD"
    ids = []
    for folder in ("a", "b"):
        await workspace.exec(f"git init -q {folder}")
        ids.append((await call(workspace, "exec", command=command, workdir=folder)).content)
    assert ids[0] == ids[1]
    assert len(ids[0]) == 40


async def test_web_search_finds_what_the_seed_put_into_the_index(workspace: Workspace) -> None:
    without = await call(workspace, "web_search", query="tides")
    assert without.outcome == "tool_error"
    assert "no search index" in without.content
    pages = [
        {"url": "http://127.0.0.1:8000/tides", "title": "Tides", "text": "High water. The tide tables of May."},
        {"url": "http://127.0.0.1:8000/cats", "title": "Cats", "text": "They dislike tides and water."},
    ]
    lines = "\n".join(["{broken", *(json.dumps(page) for page in pages)])
    await workspace.put_files([("/workspace/.services/search.jsonl", lines.encode(), 0o644)])
    found = await call(workspace, "web_search", query="tide tables")
    assert found.content == "1. Tides\n   http://127.0.0.1:8000/tides\n   The tide tables of May\n2. Cats\n" + (
        "   http://127.0.0.1:8000/cats\n   They dislike tides and water"
    )
    assert (await call(workspace, "web_search", query="zebra")).content == "nothing found for: zebra"


_INBOX = """
import http.server, json
class Inbox(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        code = 404 if body["to"] == "nobody" else 201
        open("/home/user/inbox", "a").write(json.dumps(body) + "\\n")
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"no such person" if code == 404 else b"sent")
http.server.HTTPServer(("127.0.0.1", 8124), Inbox).serve_forever()
"""


async def test_message_send_reaches_the_seeded_service_and_no_other(workspace: Workspace) -> None:
    assert (await call(workspace, "message_send", to="#ops", text="hi")).outcome == "tool_error"
    await workspace.put_files([("/home/user/inbox.py", _INBOX.encode(), 0o644)])
    await workspace.exec("exec python3 inbox.py", background=True, hidden=True)
    ready = "for i in $(seq 200); do (exec 3<>/dev/tcp/127.0.0.1/8124) 2>/dev/null && exit 0; sleep 0.02; done; exit 1"
    assert (await workspace.exec(ready)).exit_code == 0
    await workspace.write("/workspace/.services/messages", b"http://127.0.0.1:8124/send\n")
    assert (await call(workspace, "message_send", to="#ops", text="done")).content.endswith("sent")
    assert (await call(workspace, "message_send", to="nobody", text="x")).outcome == "tool_error"
    assert '"to": "#ops", "subject": "", "text": "done"' in (await workspace.exec("cat inbox")).stdout
    await workspace.write("/workspace/.services/messages", b"http://192.0.2.1/send")
    assert (await call(workspace, "message_send", to="#ops", text="x")).outcome == "denied"


def test_a_session_is_offered_what_it_needs_and_some_more_in_its_own_words() -> None:
    needed = ["exec", "web_fetch"]
    sessions = [offered_tools(f"session {n}", needed) for n in range(60)]
    assert all(set(needed) < set(names_of(tools)) and len(tools) >= 4 for tools in sessions)
    assert offered_tools("session 3", needed) == sessions[3]
    assert len({tuple(names_of(tools)) for tools in sessions}) > 50  # other tools, another order
    words = {tool["function"]["description"] for tools in sessions for tool in tools}
    assert len(words) == 3 * len(TOOLS)
    by_name = {tool["function"]["name"]: tool["function"]["parameters"] for tool in TOOLS}
    assert all(tool["function"]["parameters"] == by_name[tool["function"]["name"]] for t in sessions for tool in t)
    assert len(offered_tools("all", list(by_name))) == len(TOOLS)


def test_the_words_of_web_fetch_name_the_hosts_it_reaches() -> None:
    tools = offered_tools("x", ["web_fetch"], {"b.example", "a.example"})
    (fetch,) = [tool["function"] for tool in tools if tool["function"]["name"] == "web_fetch"]
    assert fetch["description"].endswith("Also reachable: a.example, b.example (http and https).")


async def test_a_tool_that_was_not_offered_is_unknown(workspace: Workspace) -> None:
    result = await call_tool(
        workspace, "exec", '{"command": "touch ran"}', call_index=0, settings=SETTINGS, offered=["read", "write"]
    )
    assert result.outcome == "unknown_tool" and result.content.endswith("The tools are: read, write.")
    assert (await workspace.exec("ls")).stdout == ""


def test_what_reaches_outside_is_told_by_its_address() -> None:
    assert reaches_outside("web_fetch", '{"url": "https://docs.example/"}')
    assert not reaches_outside("web_fetch", '{"url": "http://127.0.0.1:8000/"}')
    assert not reaches_outside("web_fetch", '{"uri": "https://docs.example/"}')
    assert not reaches_outside("exec", '{"command": "curl https://docs.example/"}')
