"""What runs beside an agent's command, inside its sandbox: the way to its model, and a shell that runs nothing here.

Started as a program, it runs the command with a port of its own loopback that leads to the session's socket. Bound over `sh` and
`bash`, it hands each command line to the session, which runs it in the workspace. Only the standard library, any Python from 3.10 on.
"""

import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

SOCKET = "/run/ise/agent.sock"
PORT = 8400
SHELLS = ("sh", "bash", "dash")


class Session(http.client.HTTPConnection):
    """HTTP over the session's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def command_of(words: list[str]) -> str | None:
    """The command line in a shell's arguments (`-c LINE`, `-lc LINE`), None where there is none or something follows it."""
    if len(words) < 2 or not words[-2].startswith("-") or words[-2].startswith("--") or not words[-2].endswith("c"):
        return None
    return words[-1]


def shell(words: list[str]) -> int:
    """Run a command line in the workspace; print what it printed, return how it exited."""
    command = command_of(words)
    if command is None:
        sys.stderr.write("this shell takes a command line with -c and nothing after it\n")
        return 126
    connection = Session("session")
    connection.request("POST", "/shell", json.dumps({"command": command}), {"content-type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    sys.stdout.buffer.write(answer["stdout"].encode("utf-8", "surrogatepass"))
    sys.stderr.buffer.write(answer["stderr"].encode("utf-8", "surrogatepass"))
    return int(answer["exit_code"])


def carry(source: socket.socket, target: socket.socket) -> None:
    """Bytes from one socket to the other, until there are no more."""
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side has closed: nobody waits for the rest


def serve(listener: socket.socket) -> None:
    """Every connection to the port becomes one to the session's socket."""
    while True:
        client, _ = listener.accept()
        session = socket.socket(socket.AF_UNIX)
        session.connect(SOCKET)
        for ends in ((client, session), (session, client)):
            threading.Thread(target=carry, args=ends, daemon=True).start()


def main() -> int:
    """The shell, or the command."""
    if Path(sys.argv[0]).name in SHELLS:
        return shell(sys.argv[1:])
    for name, most in json.loads(os.environ.pop("ISE_RLIMITS", "{}")).items():
        resource.setrlimit(getattr(resource, name), (most, most))
    listener = socket.create_server(("127.0.0.1", PORT))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    program = shutil.which(sys.argv[1])
    if program is None:
        sys.stderr.write(f"{sys.argv[1]}: there is no such program in the sandbox (see ISE_AGENT_COMMAND_FOLDERS)\n")
        return 127
    return subprocess.call([program, *sys.argv[2:]])


if __name__ == "__main__":
    sys.exit(main())
