"""For Inspect: an eval log a split, that `inspect view` opens and `read_eval_log` reads: a zip with a file for each sample."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ise_assets.train.formats import FilePerSplit, WriteExample, arguments_of
from ise_assets.train.models import SFTExample

_CREATED = "2026-06-11T00:00:00+00:00"
"""A log wants a time; the same records give the same bytes, so it is not the clock's."""


class InspectLog(FilePerSplit):
    """`<split>.eval`."""

    name = "inspect"
    reader = "Inspect: `inspect view --log-dir FOLDER`, or `inspect_ai.log.read_eval_log`."
    mask = "not honoured: it is a log to look at, not to train on; each message of the assistant has `metadata.trained`"
    suffix = ".eval"

    @contextmanager
    def writer(self, path: Path) -> Iterator[WriteExample]:
        """Holds a line about each sample in memory: the log ends with a list of them."""
        summaries: list[dict[str, Any]] = []
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as log:

            def put(name: str, value: Any) -> None:
                entry = zipfile.ZipInfo(name, (2026, 6, 11, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                log.writestr(entry, json.dumps(value, ensure_ascii=False))

            def write(example: SFTExample) -> None:
                sample = _sample(example)
                put(f"samples/{example.id}_epoch_1.json", sample)
                kept = ("id", "epoch", "input", "target", "scores", "metadata")
                summary = {key: sample[key] for key in kept}
                summaries.append({**summary, "input": sample["messages"][-1]["content"][:200], "completed": True})

            yield write
            count = len(summaries)
            spec = {
                "run_id": path.stem,
                "task_id": path.stem,
                "eval_id": path.stem,
                "created": _CREATED,
                "task": f"ise_assets_{path.stem}",
                "dataset": {
                    "name": f"ise_assets {path.stem}",
                    "samples": count,
                    "sample_ids": [s["id"] for s in summaries],
                },
                "model": "ise_assets",
                "config": {},
            }
            put("_journal/start.json", {"version": 2, "eval": spec, "plan": {}})
            put("summaries.json", summaries)
            results = {"total_samples": count, "completed_samples": count, "scores": []}
            header = {"version": 2, "status": "success", "eval": spec, "plan": {}, "results": results}
            put("header.json", {**header, "stats": {"started_at": _CREATED, "completed_at": _CREATED}})


def _sample(example: SFTExample) -> dict[str, Any]:
    names = {call["id"]: call["function"]["name"] for m in example.messages for call in m.get("tool_calls") or []}
    pairs = zip(example.messages, example.train_mask, strict=True)
    messages = [_message(message, trained, names) for message, trained in pairs]
    last = {"message": messages[-1], "stop_reason": "stop"}
    return {
        "id": example.id,
        "epoch": 1,
        "input": [message for message in messages[:2] if message["role"] in ("system", "user")],
        "target": "accepted",
        "messages": messages,
        "output": {"model": example.agent_model, "choices": [last], "completion": messages[-1]["content"]},
        "scores": {"accepted": {"value": "C"}} if example.provenance.get("accepted", True) else {},
        "metadata": {"domain": example.domain, "split": example.split, "provenance": example.provenance},
    }


def _message(message: dict[str, Any], trained: int, names: dict[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"role": message["role"], "content": message.get("content") or ""}
    if message["role"] == "tool":
        return {**shown, "tool_call_id": message["tool_call_id"], "function": names.get(message["tool_call_id"])}
    if message["role"] == "assistant":
        shown["metadata"] = {"trained": bool(trained)}
        calls = message.get("tool_calls") or []
        if calls:
            shown["tool_calls"] = [
                {"id": c["id"], "function": c["function"]["name"], "arguments": arguments_of(c), "type": "function"}
                for c in calls
            ]
    return shown
