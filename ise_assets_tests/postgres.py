"""A PostgreSQL of the tests' own: a cluster in a temporary folder that listens on a Unix socket in it, nowhere else."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

USER = "ise"


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, None where PostgreSQL is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which(
        "initdb", path=os.pathsep.join([*(str(folder) for folder in reversed(folders)), os.environ["PATH"]])
    )
    return Path(found).resolve().parent if found else None


class Postgres:
    """A cluster; as root it runs as the user `nobody`, since PostgreSQL refuses root."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        found = programs()
        assert found is not None
        self.folder, self._programs, self._port = folder, found, port
        self._numbers = itertools.count()
        self._server: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        options = ["-D", f"{folder}/data", "-U", USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run([*self._as_user, self._programs / "initdb", *options], check=True, capture_output=True)
        self.start()

    @property
    def _as_user(self) -> list[str]:
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []

    def start(self) -> None:
        """Start the server and wait until it answers."""
        network = ["-c", "listen_addresses="] if self._port is None else ["-p", str(self._port)]
        options = ["-D", f"{self.folder}/data", "-k", str(self.folder), *network]
        # in no group of the caller's: an interrupt of the tests must not end it first
        with open(self.folder / "log", "ab") as log:
            self._server = subprocess.Popen(
                [*self._as_user, self._programs / "postgres", *options], stdout=log, stderr=log, start_new_session=True
            )
        ready = [self._programs / "pg_isready", "-q", "-h", str(self.folder), "-p", str(self._port or 5432), "-U", USER]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode:
            assert self._server.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to the server; what it was doing is lost. Its children end by themselves."""
        assert self._server is not None
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()

    def stop(self) -> None:
        """End it, clients or not."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(30)

    def database(self) -> str:
        """A new database; its libpq connection string."""
        name = f"lake{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}", "postgres")
        return f"host={self.folder} dbname={name} user={USER}"

    def run(self, statement: str, database: str) -> str:
        """The answer to a statement, a line a row."""
        options = [
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.folder),
            "-p",
            str(self._port or 5432),
        ]
        done = subprocess.run(
            [self._programs / "psql", *options, "-U", USER, "-d", database, "-c", statement],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()
