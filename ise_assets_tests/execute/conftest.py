"""A real workspace for the tests of this room."""

from collections.abc import AsyncIterator

import pytest_asyncio

from ise_assets.execute.workspace import Limits, Workspace, open_backend


@pytest_asyncio.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with await Workspace.start(open_backend("auto"), Limits(memory_mib=256, disk_mib=32)) as started:
        yield started
