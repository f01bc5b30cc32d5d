"""Export formats: each a small module behind one interface, so that a new one touches nothing else.

A format opens a folder and is handed examples one by one, in order of id; it keeps no more than a few of them in memory and gives the
same bytes for the same examples. What a format cannot express it must keep in a field of its own or refuse with `FormatError`: nothing
is lost in silence.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ise_assets.train.models import SPLITS, SFTExample

WriteExample = Callable[[SFTExample], None]


class FormatError(ValueError):
    """An example cannot be written in this format; the message names the example and the reason."""


class ExportFormat(ABC):
    """One way to put examples into files."""

    name: str
    """What people ask for; the folder of the export."""
    reader: str
    """Who reads it, and how: a sentence or two for the folder's README."""
    mask: str
    """Whether the reader honours `train_mask`; where it does not, the sentence says "not honoured"."""
    data_files: str | None = None
    """Where `datasets.load_dataset` finds a split (`{split}` stands for its name); None where it is not the reader."""

    @abstractmethod
    def open(self, folder: Path) -> AbstractContextManager[WriteExample]:
        """A function that writes one example below `folder`; all is complete when the context ends without an error."""


class FilePerSplit(ExportFormat):
    """A format with one file for each split that has records: many readers refuse an empty file."""

    suffix: str
    """File name ending, with the dot."""
    also_empty = False
    """Whether a split without records has its file, too."""

    @abstractmethod
    def writer(self, path: Path) -> AbstractContextManager[WriteExample]:
        """A function that writes one example to `path`; the file is complete when the context ends without an error."""

    @contextmanager
    def open(self, folder: Path) -> Iterator[WriteExample]:
        """Routes each example to the file of its split."""
        writers: dict[str, WriteExample] = {}
        with ExitStack() as stack:

            def writer(split: str) -> WriteExample:
                if split not in writers:
                    writers[split] = stack.enter_context(self.writer(folder / f"{split}{self.suffix}"))
                return writers[split]

            yield lambda example: writer(example.split)(example)
            for split in SPLITS if self.also_empty else ():
                writer(split)


@contextmanager
def json_lines(path: Path) -> Iterator[Callable[[Any], None]]:
    """A function that writes one JSON value a line, in UTF-8, with bare newlines."""
    with path.open("w", encoding="utf-8", newline="\n") as file:

        def write(value: Any) -> None:
            file.write(json.dumps(value, ensure_ascii=False) + "\n")

        yield write


def arguments_of(call: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments as an object, for formats that want one.

    Where a model wrote something else, it is kept as `{"_malformed": text}`: the call was answered with an error, and both belong to
    the record.
    """
    text = call["function"]["arguments"]
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        return {"_malformed": text}
    return arguments if isinstance(arguments, dict) else {"_malformed": text}
