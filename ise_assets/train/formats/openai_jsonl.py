"""OpenAI chat JSONL: one record a line, `messages` and `tools` as objects, tool-call arguments a JSON string."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ise_assets.train.formats import FilePerSplit, WriteExample, json_lines


class OpenAIJsonl(FilePerSplit):
    """`messages` keep their keys, order and values; the other columns follow."""

    name = "openai"
    reader = (
        "Everything that reads OpenAI's chat format. Tool-call arguments are JSON strings, as the model wrote them."
    )
    mask = "not honoured by trainers that know only `messages`: mask by the column `train_mask` yourself"
    also_empty = True
    data_files = "{split}.jsonl"
    suffix = ".jsonl"

    @contextmanager
    def writer(self, path: Path) -> Iterator[WriteExample]:
        """Writes lines that end in a bare newline, in UTF-8."""
        with json_lines(path) as write:
            yield lambda example: write(example.model_dump(mode="json"))
