"""Runs a hostile probe on every backend: bubblewrap as root, bubblewrap as a normal user, Docker.

The test process may be root; then the normal user is a fork of it that gave root up for good.
"""

import asyncio
import functools
import multiprocessing
import os
import traceback
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import pytest

from ise_assets.execute.workspace import Backend, open_backend

NOBODY = 65534
BACKENDS = ("bubblewrap", "bubblewrap as a user", "docker")
Probe = Callable[[Backend], Awaitable[None]]


@pytest.fixture(params=BACKENDS)
def attacked(request: pytest.FixtureRequest) -> Callable[[Probe], None]:
    """Runs a probe, an async function of a backend, in the way the parameter says."""
    if request.param == "docker":
        request.getfixturevalue("docker_engine")
    elif request.param == "bubblewrap" and os.geteuid() != 0:
        pytest.skip("only root can give each workspace a uid of its own")
    backend = open_backend(request.param.split()[0])
    if request.param == "bubblewrap as a user":
        return functools.partial(_as_user, backend)
    return functools.partial(_as_oneself, backend)


def _as_oneself(backend: Backend, probe: Probe) -> None:
    asyncio.run(probe(backend))


def _as_user(backend: Backend, probe: Probe) -> None:
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_forked, args=(backend, probe, theirs))
    child.start()
    theirs.close()
    try:
        trouble = ours.recv() if ours.poll(120) else "no answer within 120 s"
    except EOFError:
        trouble = "the process died"
    if trouble:
        child.kill()
    child.join()
    assert not trouble, trouble


def _forked(backend: Backend, probe: Probe, pipe: Connection) -> None:
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        asyncio.run(probe(backend))
        pipe.send("")
    except BaseException:  # noqa: BLE001 - whatever it was, the test process is told
        pipe.send(traceback.format_exc())
