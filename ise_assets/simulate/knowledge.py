"""What a user may know: what it was told and what it has seen; nothing of the solution, and no path out of thin air.

A simulator that is handed a task tends to say more than its person could: the value that the agent is to work out, a file that nobody
has mentioned. Looked at are only words that look like names or values (with a digit, a dot, a slash, an underscore or an at sign in
them); plain words are anybody's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ise_assets.intent.models import Intent

_WORD = re.compile(r"[\w@~./+:%-]{4,}")
_TELLING = re.compile(r"\d|[_@]|\w[./]\w")
_PATH = re.compile(r"(?<![\w.:/])(?:~|\.{1,2})?/[\w.@+-]+(?:/[\w.@+-]+)*")


def telling_words(text: str) -> set[str]:
    """The words of `text` that look like names or values."""
    words = (word.strip(".:/-+%~") for word in _WORD.findall(text))
    return {word.lower() for word in words if len(word) >= 4 and _TELLING.search(word)}


def known_to_the_solution_alone(intent: Intent, truths: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Names and values that the acceptance checks look for and the user is nowhere told.

    Args:
        truths: what seeds told the checks, by task index.
    """
    told = json.dumps([intent.subgoals, [instance.root for instance in intent.seed]], ensure_ascii=False)
    known = f"{intent.utterance} {told}".lower()
    looked_for = {
        word
        for text in _texts([[entry["check"] for entry in intent.acceptance], truths])
        for word in telling_words(text)
    }
    return frozenset(word for word in looked_for if word.rpartition("/")[2] not in known)


def _texts(value: Any) -> Iterator[str]:
    """All strings and numbers among JSON values, but for keys."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value).replace("\\", " ")


def given_away(message: str, hidden: Iterable[str], seen: str) -> list[str]:
    """Words of the solution in `message` that nothing in `seen` has shown."""
    said = telling_words(message)
    shown = seen.lower()
    return sorted(word for word in said.intersection(hidden) if word not in shown)


def invented_paths(message: str, seen: str) -> list[str]:
    """Absolute, home and dotted paths in `message` whose last part does not occur in `seen`."""
    paths = {path.rstrip("./") for path in _PATH.findall(message)}
    return sorted(path for path in paths if path and not _occurs(path.rpartition("/")[2], seen))


def _occurs(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
