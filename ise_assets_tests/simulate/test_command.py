"""A program of others as the agent: its shell is the workspace's, its model the session's, and it sees nothing of the host."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute.cgroup import find_parents
from ise_assets.execute.models import ToolResult, Trace
from ise_assets.execute.replay import replay_session
from ise_assets.execute.workspace import ENVIRONMENT, Backend, Limits
from ise_assets.intent.models import Intent, Persona
from ise_assets.llm import Ledger
from ise_assets.settings import PROJECT, Settings, SettingsError
from ise_assets.simulate.checkpoint import Checkpoint
from ise_assets.simulate.command import CommandAgent, check_command, name_of
from ise_assets.simulate.models import Dialogue
from ise_assets.simulate.session import Keep, run_session
from ise_assets_tests.pipeline import until
from ise_assets_tests.simulate.ledger_session import TASKS
from ise_assets_tests.simulate.model_server import Served, serving
from ise_assets_tests.simulate.shell_agent import FORBIDDEN

MODEL = "hosted_vllm/m"
FOLDER = Path(__file__).parent
PROGRAM = f"/usr/bin/python3 {FOLDER}/shell_agent.py"
MINI = "mini-swe-agent==2.4.6"


@dataclass
class Stage:
    """All that a session with a program as its agent needs."""

    intent: Intent
    persona: Persona
    backend: Backend
    make_settings: Callable[..., Settings]
    served: Served

    def settings(self, command: str, *folders: str, **others: Any) -> Settings:
        """Real models, and this program; it may read `folders`, by default that of the tests' own program."""
        models = {"user_model": MODEL, "agent_model": MODEL}
        shown = folders or (str(FOLDER),)
        return self.make_settings(agent_command=command, agent_command_folders=shown, **models, **others)

    def play(
        self, settings: Settings, utterance: str | None = None, keep: Keep | None = None, past: Checkpoint | None = None
    ) -> Dialogue:
        """One session; with `utterance` in the place of the intent's, `past` to go on from."""
        said = self.intent.model_copy(update={"utterance": utterance}) if utterance else self.intent
        where = (self.backend, Limits.of(settings), settings, Ledger(), 0)
        return asyncio.run(run_session(said, self.persona, TASKS, *where, keep=keep, checkpoint=past))

    def replay(self, dialogue: Dialogue, settings: Settings) -> Trace:
        """Its calls run again."""
        return asyncio.run(replay_session(row_of(dialogue), self.intent, TASKS, self.backend, settings))


@pytest.fixture
def stage(
    intent: Intent,
    persona: Persona,
    backend: Backend,
    make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stage]:
    with serving(keep=1) as server:
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", server.base)
        yield Stage(intent, persona, backend, make_settings, server)


def row_of(dialogue: Dialogue) -> dict[str, Any]:
    return dialogue.row(domain="file-io", run_id="r", spec_hash="s", written_at=datetime.now(UTC))


@pytest.mark.parametrize("options", ["", " --stream", " --unasked"])
def test_a_program_lives_a_session_that_is_recorded_and_replayed_like_ours(options: str, stage: Stage) -> None:
    settings = stage.settings(f"{PROGRAM}{options} {{message}}")
    dialogue = stage.play(settings)
    assert (dialogue.status, dialogue.accepted_live) == ("completed", True), dialogue.stop_reason
    assert dialogue.agent_command == f"python3 shell_agent.py{options} {{message}}"
    users = [message["content"] for message in dialogue.messages if message["role"] == "user"]
    assert (
        users[0] == stage.intent.utterance and len(users) == 3
    )  # in the user's own words, whatever is wrapped around them
    assert {call.name for call in dialogue.calls} == {"exec"} and len(dialogue.calls) == 12
    assert [tool["function"]["name"] for tool in dialogue.tools] == ["bash"]
    told = [message["content"] for message in dialogue.messages if message["role"] == "tool"]
    assert len(told) == 12
    assert told[0].startswith("<exit>1</exit>\ncat: /home/user/ledger/ledger.txt: No such file")
    assert [(call.outcome, call.exit_code) for call in dialogue.calls[:2]] == [("nonzero_exit", 1), ("ok", 0)]
    assert not any(change["path"].endswith("unasked.txt") for change in dialogue.files or ())

    sent = [body["body"]["messages"] for body in stage.served.stats()["bodies"] if body["role"] == "agent"]
    for request in sent:  # the model was sent the session itself, and nothing else
        assert request == dialogue.messages[: len(request)]
    trace = stage.replay(dialogue, settings)
    assert (trace.accepted, trace.reproduced) == (True, True)


def test_a_program_sees_neither_the_host_nor_a_network(stage: Stage) -> None:
    dialogue = stage.play(stage.settings(f"{PROGRAM} {{message}}"))
    seen = json.loads(str(dialogue.messages[0]["content"]).removeprefix("You work with bash. "))
    own = {"PATH", "HOME", "LANG", "OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_API_KEY"}
    assert set(seen["names"]) - {"PWD", "LC_CTYPE"} == own | set(ENVIRONMENT)
    assert seen["refused"] == list(FORBIDDEN)
    assert seen["network"] == "nothing listens"
    assert seen["home"] == [] and seen["uid"] == 1000
    usual = {
        "bin",
        "sbin",
        "lib",
        "lib64",
        "usr",
        "etc",
        "proc",
        "dev",
        "tmp",
        "home",
        "run",
        "root",
        "var",
        "opt",
        "workspace",
    }
    assert set(seen["root"]) <= usual | {FOLDER.parts[1]}


def test_a_session_goes_on_from_its_last_user_turn(stage: Stage) -> None:
    settings, kept = stage.settings(f"{PROGRAM} {{message}}"), list[Checkpoint]()

    async def keep(checkpoint: Checkpoint) -> None:
        kept.append(checkpoint)

    whole = stage.play(settings, keep=keep)
    before = stage.served.stats()["counts"]["agent_requests"]
    again = stage.play(settings, past=kept[0])
    assert again.messages == whole.messages
    assert [tool["function"]["name"] for tool in again.tools] == ["bash"]
    assert stage.served.stats()["counts"]["agent_requests"] - before == before - 5  # the first turn took five


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/usr/bin/python3 -c 'import sys; sys.exit(\"no licence\")'", "ended with 1 and no answer: no licence"),
        ("/usr/bin/true", "ended with 0 and no answer: it said nothing"),
        ("no-such-agent", "no-such-agent: there is no such program in the sandbox"),
    ],
)
def test_a_program_that_fails_ends_the_session_with_what_it_said(command: str, reason: str, stage: Stage) -> None:
    dialogue = stage.play(stage.settings(command))
    assert dialogue.status == "error" and reason in dialogue.stop_reason


def test_what_a_user_says_reaches_the_program_word_for_word(stage: Stage) -> None:
    words = "sum ledger \0 no. 1 'into' total.txt; $(id) {message} ümläut"
    for command in ("/usr/bin/echo {message}", "/usr/bin/cat"):
        dialogue = stage.play(stage.settings(command, max_user_turns=1), words)
        assert dialogue.messages[2]["content"] == words.replace("\0", " ")


def test_a_program_that_hangs_is_ended_with_the_session(stage: Stage) -> None:
    dialogue = stage.play(stage.settings("/usr/bin/sleep 600", max_session_minutes=0.05))
    assert (dialogue.status, dialogue.stop_reason) == ("turn_limit", "max_session_minutes")


@pytest.mark.parametrize(
    "command",
    [
        f"{PROGRAM} --many {{message}}",
        "/usr/bin/sh -c",
        "/usr/bin/python3 -c 'import os; [os.fork() for _ in range(2)]; [os.write(1, b\"x\" * 65536) for _ in range(500)]'",
    ],
    ids=["connections", "nothing", "output"],
)
def test_what_a_program_overdoes_does_not_hang_its_session(command: str, stage: Stage) -> None:
    began, others = time.monotonic(), set(Path("/tmp").glob("ise-agent-*"))
    dialogue = stage.play(stage.settings(command, max_user_turns=1, max_session_minutes=0.1))
    assert time.monotonic() - began < 60
    assert dialogue.status in ("turn_limit", "error")
    assert len(str(dialogue.messages[-1]["content"])) <= 100_000
    assert set(Path("/tmp").glob("ise-agent-*")) <= others


def test_half_a_character_from_a_program_is_stored_as_a_question_mark(stage: Stage) -> None:
    say = "import urllib.request, json, os; a = os.environ['OPENAI_BASE_URL'] + '/chat/completions'; "
    ask = "urllib.request.urlopen(urllib.request.Request(a, json.dumps(dict(messages=[dict(role='system', content='\\udce9')])).encode()))"
    dialogue = stage.play(stage.settings(f'/usr/bin/python3 -c "{say}{ask}"', max_user_turns=1))
    assert "?" in json.loads(row_of(dialogue)["messages"])[0]["content"]
    row_of(dialogue)["messages"].encode()
    assert dialogue.tools == []


def test_a_shell_in_a_named_folder_is_the_workspaces_too(stage: Stage) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "bin").mkdir()
        shutil.copy("/usr/bin/bash", f"{folder}/bin/bash")
        refused = stage.play(stage.settings(f"{folder}/bin/bash -c hostname", folder, max_user_turns=1))
    assert refused.calls == [] and "not run: the model has asked for no such command" in refused.stop_reason


@pytest.mark.parametrize("delay_s", [0.003, 0.03, 0.3])
def test_a_cancelled_session_leaves_nothing_of_its_program(delay_s: float, stage: Stage) -> None:
    settings, others = stage.settings("/usr/bin/sleep 600"), set(Path("/tmp").glob("ise-agent-*"))

    async def cancelled() -> None:
        agent = CommandAgent(settings, Ledger(), "x", [], no_tool, time.monotonic(), lambda kind, details: None)
        turn = asyncio.create_task(agent.answer_user(1, "hello"))
        await asyncio.sleep(delay_s)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(20):
                await turn

    asyncio.run(cancelled())
    until(lambda: not [p for p in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x00600" in read(p)], 10)
    assert set(Path("/tmp").glob("ise-agent-*")) <= others


async def no_tool(name: str, arguments: str, index: int) -> ToolResult:
    raise AssertionError("no tool was asked for")


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_program_has_as_much_memory_as_a_workspace(stage: Stage) -> None:
    if not find_parents().folders:
        pytest.skip("no control groups can be made here")
    hoard = "/usr/bin/python3 -c 'print(len(bytearray(3 << 30)))'"
    dialogue = stage.play(stage.settings(hoard, workspace_memory_mib=128))
    assert dialogue.status == "error" and "and no answer" in dialogue.stop_reason


def test_limits_hold_for_a_program_as_for_our_agent(stage: Stage) -> None:
    dialogue = stage.play(stage.settings(f"{PROGRAM} {{message}}", max_tool_calls=2))
    assert (dialogue.status, dialogue.stop_reason, len(dialogue.calls)) == ("turn_limit", "max_tool_calls", 2)
    asked = {c["id"] for m in dialogue.messages for c in m.get("tool_calls") or ()}
    assert asked == {m["tool_call_id"] for m in dialogue.messages if m["role"] == "tool"}


def test_what_cannot_be_the_agent_is_refused_before_any_work(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(SettingsError, match="needs models"):
        check_command(make_settings(agent_command="x"))
    real = {"user_model": MODEL, "agent_model": MODEL}
    with pytest.raises(SettingsError, match="No closing quotation"):
        check_command(make_settings(agent_command="x 'y", **real))
    with pytest.raises(SettingsError, match="there is no folder /no/such"):
        check_command(make_settings(agent_command="x", agent_command_folders=("/no/such",), **real))
    check_command(make_settings())
    assert name_of(make_settings()) is None


@pytest.mark.long
def test_mini_swe_agent_lives_a_session(stage: Stage) -> None:
    """A command-line agent as its makers ship it, from the package index."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # where every uid of the machine may read
    folder.chmod(0o755)
    try:
        install = [sys.executable, "-m", "pip", "install", "-q", "--target", str(folder), MINI]
        subprocess.run(install, check=True, env={**os.environ, "PIP_CONSTRAINT": ""})
        subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
        lives_a_session(folder, stage)
    finally:
        shutil.rmtree(folder)


def lives_a_session(folder: Path, stage: Stage) -> None:
    examples = PROJECT / "docs" / "examples"
    command = (
        f"/usr/bin/env PYTHONPATH={folder} MSWEA_CONFIGURED=true MSWEA_SILENT_STARTUP=true MSWEA_COST_TRACKING=ignore_errors "
        "/usr/bin/python3 -m minisweagent.run.mini --yolo --exit-immediately --cost-limit 0 --model openai/session "
        f"--config {examples}/mini.yaml --task {{message}}"
    )
    settings = stage.settings(command, str(folder), str(examples))
    dialogue = stage.play(settings)
    assert (dialogue.status, dialogue.accepted_live) == ("completed", True), dialogue.stop_reason
    assert len(dialogue.calls) == 12 and {call.name for call in dialogue.calls} == {"exec"}
    assert "returncode" in str(next(m for m in dialogue.messages if m["role"] == "tool")["content"])
    trace = stage.replay(dialogue, settings)
    assert (trace.accepted, trace.reproduced) == (True, True)
