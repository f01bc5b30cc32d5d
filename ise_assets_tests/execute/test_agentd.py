"""agentd under load and abuse: what runs away is caught, what should live lives, nothing is left of what ended."""

import asyncio
from pathlib import Path

import pytest

from ise_assets.execute.workspace import FileRefused, Limits, Workspace, open_backend

BELL = "while sleep 0.1; do date +%s%N > /tmp/bell; done"


async def rings(workspace: Workspace) -> bool:
    """Whether the service that runs BELL is alive."""
    first = await workspace.exec("cat /tmp/bell")
    for _ in range(50):
        await asyncio.sleep(0.1)
        if (await workspace.exec("cat /tmp/bell")).stdout not in ("", first.stdout):
            return True
    return False


async def test_a_background_child_can_go_on_writing_after_its_command_returned(workspace: Workspace) -> None:
    await workspace.exec("(sleep 0.3; head -c 300000 /dev/zero && echo finished > done) & echo started")
    for _ in range(100):
        if (await workspace.exec("cat done")).stdout:
            break
        await asyncio.sleep(0.05)
    assert (await workspace.exec("cat done")).stdout == "finished\n"


async def test_a_timeout_kills_daemons_of_the_command_and_spares_all_others(workspace: Workspace) -> None:
    await workspace.exec(BELL, background=True, hidden=True)
    await workspace.exec("sleep 7001", background=True)
    await workspace.exec("setsid sleep 7002 &")
    result = await workspace.exec("(setsid sh -c 'sleep 7003; true' &); kill -STOP $$; sleep 7004", timeout_s=0.5)
    assert result.timed_out
    left = (await workspace.exec("pgrep -fa '^sleep 700'")).stdout
    assert "sleep 7001" in left
    assert "sleep 7002" in left
    assert "sleep 7003" not in left
    assert "sleep 7004" not in left
    assert await rings(workspace)


async def test_a_command_that_the_host_gave_up_on_does_not_run_on(workspace: Workspace) -> None:
    call = asyncio.create_task(workspace.exec("echo > begun; sleep 7005"))
    assert (await workspace.exec("until test -e begun; do sleep 0.02; done", timeout_s=10)).exit_code == 0
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for _ in range(100):
        if (await workspace.exec("pgrep -f '^sleep 7005'")).exit_code == 1:
            return
        await asyncio.sleep(0.02)
    pytest.fail("the command is still running")


async def test_an_ended_background_process_that_nobody_polls_does_not_keep_orphans_from_being_reaped(
    workspace: Workspace,
) -> None:
    await workspace.exec("true", background=True)
    await workspace.exec("true", background=True, hidden=True)
    await workspace.exec("for i in $(seq 40); do (setsid true &); done")
    for _ in range(100):
        zombies = (await workspace.exec("ps -eo stat | grep -c ^Z")).stdout
        if zombies == "0\n":
            break
        await asyncio.sleep(0.05)
    assert zombies == "0\n"


@pytest.mark.parametrize(
    "bomb",
    ["b() { b | b & }; b; sleep 0.5", 'b() { setsid bash -c "$(declare -f b); b" & b & }; b; sleep 0.5'],
    ids=["one session", "a session each"],
)
async def test_after_a_fork_bomb_that_outlives_its_command_the_next_call_works_and_services_live(
    workspace: Workspace, bomb: str
) -> None:
    await workspace.exec(BELL, background=True, hidden=True)
    await workspace.exec(bomb, timeout_s=5)
    assert (await workspace.exec("echo alive; ls", timeout_s=20)).stdout == "alive\n"
    assert await rings(workspace)


async def test_a_memory_bomb_is_named_and_small_services_outlive_it(workspace: Workspace) -> None:
    await workspace.exec(BELL, background=True, hidden=True)
    hog = "python3 -c 'import time; x = bytearray(150 << 20); time.sleep(20)'"
    result = await workspace.exec(f"{hog} & {hog} & {hog} & wait -n; exit $?", timeout_s=15)
    assert result.exit_code not in (0, None)
    assert "memory limit of 256 MiB" in result.stderr
    assert await rings(workspace)


async def test_shared_memory_counts_too(workspace: Workspace) -> None:
    hog = "import mmap, time; m = mmap.mmap(-1, 200 << 20); m.write(bytes(200 << 20)); time.sleep(20)"
    result = await workspace.exec(f'python3 -c "{hog}" & python3 -c "{hog}" & wait -n; exit $?', timeout_s=15)
    assert result.exit_code == 137


async def test_a_file_too_large_to_edit_stays_as_it_is(workspace: Workspace) -> None:
    await workspace.exec("{ echo needle; head -c 5M /dev/zero | tr '\\0' x; } > large")
    with pytest.raises(FileRefused, match="larger than 4 MiB"):
        await workspace.edit("/home/user/large", "needle", "pin")
    assert (await workspace.exec("stat -c %s large")).stdout == f"{(5 << 20) + 7}\n"


async def test_an_edit_that_the_disk_has_no_room_for_keeps_the_old_content(workspace: Workspace) -> None:
    await workspace.write("/home/user/kept", b"short\n")
    await workspace.exec("cat /dev/zero > fill")
    with pytest.raises(FileRefused, match="No space left"):
        await workspace.edit("/home/user/kept", "short", "long" * 100_000)
    assert await workspace.read_bytes("/home/user/kept") == b"short\n"


async def test_writing_through_a_fifo_or_into_a_directory_is_refused_at_once(workspace: Workspace) -> None:
    await workspace.exec("mkfifo fifo; mkdir folder; ln -s loop loop; ln -s fifo link")
    for target in ("fifo", "folder", "loop", "link"):
        with pytest.raises(FileRefused):
            await asyncio.wait_for(workspace.write(f"/home/user/{target}", b"x"), 5)


async def test_put_files_takes_megabytes_and_modes_in_one_frame(workspace: Workspace) -> None:
    files = [(f"/home/user/many/{number}/file", bytes([number]) * 100_000, 0o600) for number in range(150)]
    await workspace.put_files([*files, ("/home/user/tool", b"#!/bin/sh\necho ran\n", 0o755)])
    assert (await workspace.exec("find many -type f -size 100000c -perm 600 | wc -l; ./tool")).stdout == "150\nran\n"


async def test_run_python_sees_none_of_the_agents_modules_and_hashes_alike(workspace: Workspace) -> None:
    site = "$(python3 -c 'import site; print(site.getusersitepackages())')"
    await workspace.exec(f"mkdir -p {site}; echo 'print(1 / 0)' | tee json.py > {site}/usercustomize.py")
    source = "import json\nif __name__ == '__main__':\n    print(json.dumps(sorted(map(hash, ('a', 'b')))))"
    first, second = [await workspace.run_python(source, workdir="/home/user") for _ in range(2)]
    assert first.exit_code == 0, first.stderr
    assert first.stdout == second.stdout
    assert (await workspace.exec(f"rm -r json.py .local {site}; find ~ -type f")).stdout == ""


async def test_commands_live_under_the_same_limits_and_environment_each_time(workspace: Workspace) -> None:
    limits = (await workspace.exec("ulimit -u; ulimit -n; ulimit -c; ulimit -v")).stdout.split()
    assert limits == ["256", "1024", "0", str(1 << 20)]
    answer = (await workspace.exec("id -un; hostname; echo $TZ $LANG $HOME; tty; echo $BASHPID")).stdout
    assert answer.startswith("user\nworkspace\nUTC C.UTF-8 /home/user\nnot a tty\n")


def open_handles(pid: int | str = "self") -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_stop_leaves_no_process_and_no_open_handle() -> None:
    backend = open_backend("auto")
    await (await Workspace.start(backend, Limits())).stop()  # what is opened once and kept, is open now
    before = open_handles()
    for _ in range(5):
        workspace = await Workspace.start(backend, Limits())
        await workspace.exec("setsid sleep 7006 & sleep 7006 & trap '' TERM; true")
        await workspace.exec("sleep 7006", background=True)
        inside = workspace._channel.descendants()
        assert len(inside) >= 4
        await workspace.stop()
        assert [pid for pid in inside if Path(f"/proc/{pid}").exists()] == []
        await workspace.stop()
    await asyncio.sleep(0)
    assert open_handles() <= before


async def test_a_start_that_is_cancelled_leaves_no_process(cancel_start) -> None:
    backend = open_backend("auto")
    cancelled = [await cancel_start(backend, delay) for delay in (0.0, 0.002, 0.01, 0.02)]
    assert any(cancelled)
    for _ in range(200):
        if not children_named("bwrap"):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"left: {children_named('bwrap')}")


def children_named(name: str) -> list[str]:
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    states = {pid: Path(f"/proc/{pid}/stat").read_text() for pid in children if Path(f"/proc/{pid}/stat").exists()}
    return [pid for pid, state in states.items() if f"({name})" in state]


async def test_two_hundred_calls_leave_agentd_as_it_was(workspace: Workspace) -> None:
    async def state() -> list[str]:
        shown = await workspace.exec("ls /proc/self/fd | wc -l; grep -c . /proc/net/unix; ps -e -o pid= | wc -l")
        return shown.stdout.split()

    agentd = workspace._channel.descendants()[0]
    await asyncio.gather(*(workspace.exec("true") for _ in range(20)))
    before, open_before = await state(), open_handles(agentd)
    for _ in range(200):
        await workspace.exec("echo x")
    assert await state() == before
    assert open_handles(agentd) <= open_before
