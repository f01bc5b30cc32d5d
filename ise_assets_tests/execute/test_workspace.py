"""The workspace does what a machine does, and says truly what happened."""

import asyncio
import time

import pytest

from ise_assets.execute.models import WorkspaceDied
from ise_assets.execute.workspace import FileRefused, Limits, Workspace, open_backend


async def test_exec_gives_exit_code_and_both_streams(workspace: Workspace) -> None:
    result = await workspace.exec("echo out; echo err >&2; exit 3")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")


async def test_exec_reads_stdin_and_starts_in_home(workspace: Workspace) -> None:
    result = await workspace.exec("pwd; cat", stdin="given")
    assert result.stdout == "/home/user\ngiven"


async def test_a_timeout_kills_the_whole_session_and_not_the_workspace(workspace: Workspace) -> None:
    began = time.monotonic()
    result = await workspace.exec("trap '' TERM; (sleep 60 & sleep 60)", timeout_s=0.5)
    assert result.timed_out
    assert result.exit_code is None
    assert time.monotonic() - began < 10
    assert (await workspace.exec("pgrep sleep")).exit_code == 1


SLOW_TO_DIE = "for i in 1 2 3; do python3 -c 'import time; held = b\"x\" * (150 << 20); time.sleep(60)' & done; wait"


async def test_what_a_timeout_killed_is_gone_at_once(workspace: Workspace) -> None:
    result = await workspace.exec(SLOW_TO_DIE, timeout_s=1)
    assert result.timed_out
    assert (await workspace.exec("pgrep -c python3")).stdout == "1\n"  # the tool server


async def test_what_a_kill_took_is_gone_at_once(workspace: Workspace) -> None:
    started = await workspace.exec(SLOW_TO_DIE, background=True)
    assert started.process_id
    await asyncio.sleep(1)
    await workspace.process("kill", started.process_id)
    assert (await workspace.exec("pgrep -c python3")).stdout == "1\n"  # the tool server


async def test_exec_returns_although_a_background_child_holds_the_pipe(workspace: Workspace) -> None:
    began = time.monotonic()
    result = await workspace.exec("sleep 30 & echo started")
    assert result.stdout == "started\n"
    assert time.monotonic() - began < 5


async def test_output_past_the_cap_is_cut_in_the_middle_and_counted(workspace: Workspace) -> None:
    result = await workspace.exec("echo first; seq 1 200000; echo last")
    assert result.truncated
    assert result.stdout.startswith("first\n")
    assert result.stdout.endswith("last\n")
    assert result.stdout_bytes > 1_000_000
    assert len(result.stdout) < 10_000


async def test_background_processes_are_polled_written_to_and_killed(workspace: Workspace) -> None:
    started = await workspace.exec("while read line; do echo got $line; done", background=True)
    assert started.process_id == "p1"
    await workspace.process("write", "p1", "hello\n")
    for _ in range(100):
        state = await workspace.process("poll", "p1")
        if state["stdout"]:
            break
        await asyncio.sleep(0.02)
    assert state["stdout"] == "got hello\n"
    assert state["running"]
    await workspace.process("kill", "p1")
    assert not (await workspace.process("poll", "p1"))["running"]


async def test_hidden_services_do_not_show_in_the_process_list(workspace: Workspace) -> None:
    await workspace.exec("sleep 30", background=True, hidden=True)
    assert (await workspace.process("list"))["processes"] == []


async def test_edit_needs_exactly_one_match(workspace: Workspace) -> None:
    await workspace.write("/home/user/a.txt", b"one two one\nthree\n")
    assert await workspace.edit("/home/user/a.txt", "three", "3") == 2
    for old in ("one", "nowhere"):
        with pytest.raises(FileRefused, match="exactly once"):
            await workspace.edit("/home/user/a.txt", old, "x")
    assert await workspace.read_bytes("/home/user/a.txt") == b"one two one\n3\n"


async def test_changes_lists_what_differs_from_the_baseline(workspace: Workspace) -> None:
    await workspace.put_files([("/home/user/old.txt", b"x", 0o644), ("/home/user/gone.txt", b"y", 0o644)])
    await workspace.mark_baseline()
    await workspace.exec("echo more >> old.txt; rm gone.txt; touch 'neu mit ü.txt'")
    found = {change.path: change.change for change in await workspace.changes()}
    assert found == {
        "/home/user/old.txt": "modified",
        "/home/user/gone.txt": "deleted",
        "/home/user/neu mit ü.txt": "added",
    }


@pytest.mark.parametrize("target", ["/dev/zero", "/home/user/fifo", "/home/user"])
async def test_reading_what_is_not_a_regular_file_is_refused(workspace: Workspace, target: str) -> None:
    await workspace.exec("mkfifo fifo")
    with pytest.raises(FileRefused):
        await workspace.read_bytes(target)


async def test_names_that_are_not_utf8_do_not_break_the_list_of_changes(workspace: Workspace) -> None:
    await workspace.mark_baseline()
    await workspace.exec(r"touch $'bad\xff' $'new\nline'")
    assert len(await workspace.changes()) == 2


async def test_orphans_are_reaped(workspace: Workspace) -> None:
    await workspace.exec("for i in 1 2 3 4 5; do (setsid sleep 0.05 &) ; done")
    for _ in range(100):
        zombies = (await workspace.exec("ps -eo stat | grep -c Z")).stdout.strip()
        if zombies == "0":
            break
        await asyncio.sleep(0.05)
    assert zombies == "0"


async def test_a_killed_sandbox_is_workspace_died_for_who_waits_and_who_comes_later() -> None:
    workspace = await Workspace.start(open_backend("auto"), Limits())
    waiting = asyncio.create_task(workspace.exec("sleep 60"))
    await asyncio.sleep(0.1)
    workspace._channel.process.kill()
    with pytest.raises(WorkspaceDied):
        await waiting
    with pytest.raises(WorkspaceDied):
        await workspace.exec("true")
    await workspace.stop()


async def test_many_calls_at_once_each_get_their_own_answer(workspace: Workspace) -> None:
    results = await asyncio.gather(*(workspace.exec(f"echo {number}") for number in range(50)))
    assert [result.stdout for result in results] == [f"{number}\n" for number in range(50)]


def test_an_unknown_backend_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="auto, bubblewrap, docker"):
        open_backend("chroot")
