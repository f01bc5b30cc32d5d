"""Engines for tests, started for the run where they can be: Docker for workspaces, PostgreSQL for lakes."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from ise_assets.settings import PROJECT
from ise_assets_tests.postgres import Postgres, programs

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


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL for lakes."""
    if programs() is None:
        message = "LAKE NOT TESTED: no PostgreSQL (.ci/setup postgres installs it)"
        if os.environ.get("ISE_REQUIRE_POSTGRES"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("pg")
    for above in (folder, folder.parent, folder.parent.parent):
        above.chmod(0o755)  # its user has to get there
    server = Postgres(folder / "cluster")
    yield server
    server.stop()
