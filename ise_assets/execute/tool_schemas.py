"""The agent's tools as a model gets them: names, words and JSON schemas.

A session is offered the tools it needs and some that it does not, in an order and in words of its own: what a model learns of them
must be what they do, not how one list of them reads.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_TIMEOUT_S = 600


class Arguments(BaseModel):
    """What a call of a tool may say; nothing else, and of these types exactly."""

    model_config = ConfigDict(extra="forbid", strict=True)


Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class ExecArguments(Arguments):
    """Run a command with bash and return its output and exit code."""

    command: str = Field(min_length=1, description="The command line, run by bash.")
    workdir: Path | None = Field(default=None, description="Directory to run it in; the home directory if left out.")
    timeout: int | None = Field(default=None, ge=1, le=MAX_TIMEOUT_S, description="Seconds after which it is killed.")
    background: bool = Field(default=False, description="Start it and return at once with an id for the process tool.")
    stdin: str | None = Field(default=None, description="Text given to its standard input.")


class ProcessArguments(Arguments):
    """Look after background processes: list them, poll or read one's output, write to its input, or kill it."""

    action: Literal["list", "poll", "log", "write", "kill"] = Field(description="What to do.")
    id: str | None = Field(default=None, description="The process, like p1; not needed for list.")
    data: str | None = Field(default=None, description="Text to write, for write.")


class ReadArguments(Arguments):
    """Read a text file, whole or a range of lines."""

    path: Path = Field(description="The file; relative paths start at the home directory.")
    offset: int | None = Field(default=None, ge=1, description="First line, counted from 1.")
    limit: int | None = Field(default=None, ge=1, description="How many lines.")


class WriteArguments(Arguments):
    """Write a file, replacing what was there; missing parent directories are made."""

    path: Path = Field(description="The file; relative paths start at the home directory.")
    content: str = Field(description="The whole new content.")


class EditArguments(Arguments):
    """Replace one exact piece of text in a file; it must occur exactly once."""

    path: Path = Field(description="The file; relative paths start at the home directory.")
    old: str = Field(min_length=1, description="The text as it is now, exactly.")
    new: str = Field(description="The text that takes its place.")


class MemorySearchArguments(Arguments):
    """Search the notes under memory/ for words; the best lines come first, with file and line."""

    query: str = Field(min_length=1, max_length=400, description="Words to look for.")


class MemoryGetArguments(Arguments):
    """Read a note under memory/, whole or a range of lines."""

    path: Path = Field(description="The note, relative to memory/.")
    offset: int | None = Field(default=None, ge=1, description="First line, counted from 1.")
    limit: int | None = Field(default=None, ge=1, description="How many lines.")


class WebFetchArguments(Arguments):
    """Fetch a page by GET from a server on this machine; returns status and body."""

    url: str = Field(
        min_length=1, max_length=2000, description="An http URL on this machine, like http://127.0.0.1:8080/."
    )


class WebSearchArguments(Arguments):
    """Search the web pages that are known here; titles, addresses and a line of text, best first."""

    query: str = Field(min_length=1, max_length=400, description="Words to look for.")
    limit: int | None = Field(default=None, ge=1, le=20, description="How many results; 8 if left out.")


class MessageSendArguments(Arguments):
    """Send a message to a person or a channel by the chat or mail service of this machine."""

    to: str = Field(min_length=1, max_length=200, description="Who gets it: a person, an address or a channel.")
    text: str = Field(min_length=1, max_length=20_000, description="What it says.")
    subject: str | None = Field(default=None, max_length=400, description="Its subject, for mail.")


MODELS: dict[str, type[Arguments]] = {
    "exec": ExecArguments,
    "process": ProcessArguments,
    "read": ReadArguments,
    "write": WriteArguments,
    "edit": EditArguments,
    "memory_search": MemorySearchArguments,
    "memory_get": MemoryGetArguments,
    "web_fetch": WebFetchArguments,
    "web_search": WebSearchArguments,
    "message_send": MessageSendArguments,
}


def _schema(name: str, model: type[Arguments]) -> dict[str, Any]:
    body = model.model_json_schema()
    properties = {}
    for key, value in body["properties"].items():
        options = [option for option in value.pop("anyOf", []) if option.get("type") != "null"]
        merged = {**(options[0] if options else {}), **value}
        properties[key] = {k: v for k, v in merged.items() if k not in ("title", "default")}
    parameters = {
        "type": "object",
        "properties": properties,
        "required": body.get("required", []),
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": model.__doc__, "parameters": parameters}}


TOOLS: list[dict[str, Any]] = [_schema(name, model) for name, model in MODELS.items()]
"""All tools as OpenAI function schemas, in their first words."""
_BY_NAME = {tool["function"]["name"]: tool for tool in TOOLS}


def offered_tools(session: str, needed: Collection[str], hosts: Collection[str] = ()) -> list[dict[str, Any]]:
    """The tools of one session, given to the model verbatim: a pure function of its arguments.

    Args:
        session: the dialogue's id.
        needed: names of the tools without which the task cannot be done; all of them are offered, and at least two others.
        hosts: what `web_fetch` reaches beside the workspace's own servers.
    """
    rng = random.Random(f"tools {session}")
    others = [name for name in MODELS if name not in needed]
    chosen = [*needed, *rng.sample(others, rng.randint(min(2, len(others)), len(others)))]
    tools = []
    for name in rng.sample(sorted(chosen), len(chosen)):
        tool = copy.deepcopy(_BY_NAME[name])
        words = rng.choice((tool["function"]["description"], *_OTHER_WORDS[name]))
        if name == "web_fetch" and hosts:
            words = f"{words} Also reachable: {', '.join(sorted(hosts))} (http and https)."
        tool["function"]["description"] = words
        tools.append(tool)
    return tools


_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "exec": (
        "Execute a bash command line; you get what it printed and how it exited.",
        "Run something in the shell. Output and exit status come back.",
    ),
    "process": (
        "Manage what runs in the background: see the list, look at output, send input, stop a process.",
        "Control processes that exec started in the background.",
    ),
    "read": (
        "Show a text file, or some lines of it.",
        "Get the content of a file as text, whole or from one line on.",
    ),
    "write": (
        "Create a file or overwrite it with new content; folders on the way are created.",
        "Put text into a file. What it held before is gone; directories that are missing are made.",
    ),
    "edit": (
        "Swap a piece of a file's text for another. The old piece has to be there once, letter for letter.",
        "Change part of a file: give the exact present text, which may occur only once, and the new text.",
    ),
    "memory_search": (
        "Find lines in the notes of memory/ by words; returns file, line number and text.",
        "Look something up in the long-term notes (folder memory/).",
    ),
    "memory_get": (
        "Open one of the notes in memory/, all of it or a few lines.",
        "Get a note from memory/ by its name.",
    ),
    "web_fetch": (
        "HTTP GET of a page that a server on this machine serves; gives status, headers and body.",
        "Download a page from a local server and show what it answered.",
    ),
    "web_search": (
        "Look for pages by words among those known on this machine.",
        "Search engine over the pages that are indexed here: title, address, best line.",
    ),
    "message_send": (
        "Send mail or a chat message through this machine's service.",
        "Deliver a message to someone (a person, an address, a channel).",
    ),
}
