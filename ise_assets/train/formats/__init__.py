"""Export formats: each a small module behind one interface, so that a new one touches nothing else.

A format opens a writer on a path and is handed examples one by one, in order of id; it keeps no more than a few of them
in memory and gives the same bytes for the same examples. What a format cannot express it must keep in a field of its
own or refuse with `FormatError`: nothing is lost in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ise_assets.train.models import SFTExample

WriteExample = Callable[[SFTExample], None]


class FormatError(ValueError):
    """An example cannot be written in this format; the message names the example and the reason."""


class ExportFormat(Protocol):
    """One way to put examples into a file."""

    @property
    def suffix(self) -> str:
        """File name ending, with the dot."""
        ...

    def writer(self, path: Path) -> AbstractContextManager[WriteExample]:
        """A function that writes one example to `path`; the file is complete when the context ends without an error."""
        ...
