"""For the Hugging Face Hub: Parquet shards under `data/`, session traces for its viewer, a card whose `configs` name both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ise_assets.train.formats import ExportFormat, WriteExample, json_lines
from ise_assets.train.formats.parquet import Parquet
from ise_assets.train.models import SPLITS, SFTExample

PER_SHARD = 5_000


class HuggingFace(ExportFormat):
    """`data/<split>-<n>.parquet`, `traces/<split>/<id>.jsonl`."""

    name = "huggingface"
    reader = "`datasets.load_dataset(FOLDER)`, and the Hub's viewer of session traces for the files under `traces/`."
    mask = "not honoured by trainers that know only `messages`: mask by the column `train_mask` yourself"
    data_files = "data/{split}-*.parquet"

    @contextmanager
    def open(self, folder: Path) -> Iterator[WriteExample]:
        """A new shard every 5,000 records."""
        (folder / "data").mkdir()
        for split in SPLITS:
            (folder / "traces" / split).mkdir(parents=True)
        shards: dict[str, WriteExample] = {}
        with ExitStack() as stack:

            def write(example: SFTExample) -> None:
                if example.split not in shards:
                    shards[example.split] = stack.enter_context(_shards(folder / "data", example.split))
                shards[example.split](example)
                with json_lines(folder / "traces" / example.split / f"{example.id}.jsonl") as line:
                    for event in trace(example):
                        line(event)

            yield write


@contextmanager
def _shards(folder: Path, split: str) -> Iterator[WriteExample]:
    count = 0
    with ExitStack() as stack:
        current = stack.enter_context(Parquet().writer(folder / f"{split}-00000.parquet"))

        def write(example: SFTExample) -> None:
            nonlocal count, current
            if count and count % PER_SHARD == 0:
                stack.pop_all().close()
                path = folder / f"{split}-{count // PER_SHARD:05}.parquet"
                current = stack.enter_context(Parquet().writer(path))
            current(example)
            count += 1

        yield write


def trace(example: SFTExample) -> Iterator[dict[str, Any]]:
    """The lines of a session trace."""
    yield {"type": "session", "harness": "ise_assets", "id": example.id, "name": f"{example.domain} {example.id}"}
    for message in example.messages:
        shown: dict[str, Any] = {"role": message["role"], "content": message.get("content") or ""}
        if message.get("reasoning_content"):
            shown["reasoningContent"] = message["reasoning_content"]
        if message.get("tool_calls"):
            shown["toolCalls"] = [
                {"id": c["id"], "function": {k: c["function"][k] for k in ("name", "arguments")}}
                for c in message["tool_calls"]
            ]
        if message["role"] == "tool":
            shown["toolCallId"] = message["tool_call_id"]
        if message["role"] == "assistant":
            shown["model"] = example.agent_model
        yield {"type": "message", "message": shown}
