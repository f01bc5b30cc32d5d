"""OpenAI chat JSONL: one record a line, `messages` and `tools` as objects, tool-call arguments a JSON string."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ise_assets.train.formats import WriteExample
from ise_assets.train.models import SFTExample


class OpenAIJsonl:
    """`messages` keep their keys, order and values; the other columns follow."""

    suffix = ".jsonl"

    @contextmanager
    def writer(self, path: Path) -> Iterator[WriteExample]:
        """Writes lines that end in a bare newline, in UTF-8."""
        with path.open("w", encoding="utf-8", newline="\n") as file:

            def write(example: SFTExample) -> None:
                file.write(json.dumps(example.model_dump(mode="json"), ensure_ascii=False) + "\n")

            yield write
