"""What deployments need."""

from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def compose_command() -> None:
    """Docker's compose, in one of its two forms."""
    if not shutil.which("docker-compose") and subprocess.run(["docker", "compose", "version"], check=False).returncode:
        pytest.skip("DEPLOYMENT NOT TESTED: no docker-compose (Debian: apt-get install docker-compose)")
