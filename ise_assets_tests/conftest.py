"""The workspaces' backends for tests: bubblewrap as it is, Docker with an engine that is started for the run where it can be."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from ise_assets.settings import PROJECT

REQUIRED = bool(os.environ.get("ISE_REQUIRE_DOCKER"))


def _missing(why: str) -> None:
    """Skip, so that it is seen; where Docker is required (CI), fail."""
    message = f"DOCKER BACKEND NOT TESTED: {why}"
    if REQUIRED:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[str]:
    """An engine with the workspace image; DOCKER_HOST names it while tests run that ask for this."""
    command = [PROJECT / ".ci" / "with-docker", "bash", "-c", 'echo "host ${DOCKER_HOST:-}"; cat']
    held = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert held.stdin and held.stdout and held.stderr
    try:
        answer = held.stdout.readline()
        if not answer:
            _missing(held.stderr.read().strip())
        host = answer.removeprefix("host").strip()
        with pytest.MonkeyPatch.context() as patch:
            if host:
                patch.setenv("DOCKER_HOST", host)
            from ise_assets.execute.backends.docker import Docker

            if problem := Docker().probe():
                _missing(f"{problem}\n(.ci/setup docker installs the engine and builds the image)")
            yield host
    finally:
        held.stdin.close()
        held.wait(60)
