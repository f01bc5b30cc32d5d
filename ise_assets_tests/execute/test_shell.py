"""`ise shell` brings a fresh workspace to a point of a recorded session, and keeps to what it says there."""

from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute.shell import run_shell
from ise_assets.execute.workspace import open_backend
from ise_assets.settings import Settings
from ise_assets_tests.execute.test_replay import LOOK, ROOT, SLIP, SUM, record
from ise_assets_tests.simulate.ledger_session import TASKS, make_intent


async def spoken(tmp_path: Path, after: int | None, *lines: str) -> list[str]:
    settings = Settings(_env_file=None, home=tmp_path, workspace_memory_mib=256, workspace_disk_mib=32)  # type: ignore[call-arg]
    backend = open_backend("auto")
    dialogue: dict[str, Any] = await record(backend, settings, SLIP, LOOK, SUM)
    said: list[str] = []
    left = iter(lines)

    def ask(prompt: str) -> str:
        said.append(prompt)
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    await run_shell(backend, settings, (dialogue, make_intent(), TASKS), after, ask, said.append)
    return said


async def test_all_calls_are_there_and_the_directory_is_kept(tmp_path: Path) -> None:
    said = await spoken(tmp_path, None, f"cd {ROOT}", "cat total.txt; false", "rm -rf $PWD", "ls", "pwd")
    assert said[:3] == [
        "  0 exec: nonzero_exit, as recorded",
        "  1 exec: ok, as recorded",
        "  2 write: ok, as recorded",
    ]
    assert "42" in said and "[exit code 1]" in said
    assert any(line.startswith("[no such directory") for line in said)
    assert said[-1] == "workspace:~$ "


async def test_it_stops_after_the_call_that_was_asked_for(tmp_path: Path) -> None:
    said = await spoken(tmp_path, 1, f"ls {ROOT}", "exit", "never asked for")
    assert "after 2 calls, on bubblewrap; exit or Ctrl-D ends it" in said
    assert not any("total.txt" in line for line in said)


async def test_a_call_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(IndexError, match="calls 0 to 2, no 3"):
        await spoken(tmp_path, 3)
