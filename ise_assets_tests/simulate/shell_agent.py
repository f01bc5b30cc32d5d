"""A program that is an agent: OpenAI chat in one direction, a shell in the other, as command-line agents are. The standard library only.

    shell_agent.py [--stream] [--unasked] WORDS

It asks its model, runs what the model calls for with the shell, and prints the last answer. What it sees of the machine it is on it
writes into its system prompt, so that a test can look.
"""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

TOOL = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "Execute a bash command",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
}


FORBIDDEN = {
    "to open the kernel's settings for writing": lambda: os.close(
        os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)
    ),
    "a socket to the hypervisor": lambda: socket.socket(40, socket.SOCK_STREAM).close(),
    "to write beside its folders": lambda: Path("/sentinel").write_text("x"),
    "to write into the session's folder": lambda: Path("/run/ise/x").write_text("x"),
}


def fails(act):
    """Whether something cannot be done."""
    try:
        act()
    except OSError:
        return True
    return False


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


def sight():
    """What the host shows of itself here: folders at the root, names of variables, whether the network is there."""
    try:
        socket.create_connection(("127.0.0.1", 22), timeout=1).close()
        network = "something listens"
    except OSError:
        network = "nothing listens"
    return {
        "refused": [name for name, act in FORBIDDEN.items() if fails(act)],
        "root": names("/"),
        "home": names(os.environ["HOME"]),
        "names": sorted(os.environ),
        "network": network,
        "uid": os.getuid(),
    }


def ask(messages, stream):
    """The model's next message."""
    body = {"model": "session", "messages": messages, "tools": [TOOL], "stream": stream}
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        if not stream:
            return json.load(answer)["choices"][0]["message"]
        message = {"role": "assistant"}
        for line in answer:
            if line.startswith(b"data: {"):
                delta = json.loads(line[6:])["choices"][0]["delta"]
                message.update({key: value for key, value in delta.items() if value})
        return message


def shell(command):
    """What a command line gives, as the model is told."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    return f"<exit>{done.returncode}</exit>\n{done.stdout}{done.stderr}"


def main():
    """One task."""
    if "--many" in sys.argv:
        held = []
        for _ in range(200):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect("/run/ise/agent.sock")
    words = sys.argv[-1]
    system = {"role": "system", "content": "You work with bash. " + json.dumps(sight())}
    messages = [system, {"role": "user", "content": f"Solve this: {words}\n\nUse the tool bash."}]
    if "--unasked" in sys.argv:
        print(shell("touch /home/user/ledger/unasked.txt; id"), file=sys.stderr)
    while True:
        message = ask(messages, "--stream" in sys.argv)
        messages.append(message)
        if not message.get("tool_calls"):
            print(message["content"])
            return
        for call in message["tool_calls"]:
            try:
                result = shell(json.loads(call["function"]["arguments"])["command"])
            except ValueError as error:
                result = f"these are no arguments: {error}"
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})


if __name__ == "__main__":
    main()
