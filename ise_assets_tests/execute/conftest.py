"""A real workspace for the tests of this room."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from ise_assets.execute.workspace import Backend, Limits, Workspace, open_backend

CancelStart = Callable[[Backend, float], Awaitable[bool]]


@pytest_asyncio.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with await Workspace.start(open_backend("auto"), Limits(memory_mib=256, disk_mib=32)) as started:
        yield started


@pytest.fixture
def cancel_start() -> CancelStart:
    """Starts a workspace, cancels that after so many seconds and says whether it was in time; a fast machine is done first."""

    async def cancel(backend: Backend, delay_s: float) -> bool:
        start = asyncio.create_task(Workspace.start(backend, Limits()))
        await asyncio.sleep(delay_s)
        start.cancel()
        try:
            started = await start
        except asyncio.CancelledError:
            return True
        await started.stop()
        return False

    return cancel
