"""ATIF v1.8, Harbor's Agent Trajectory Interchange Format: one JSON file a session.

The models behind it forbid unknown fields, so what ATIF has no field for (outcomes, exit codes, masks, provenance) is under `extra`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ise_assets
from ise_assets.train.formats import ExportFormat, WriteExample, arguments_of
from ise_assets.train.models import SPLITS, SFTExample

SCHEMA_VERSION = "ATIF-v1.8"


class Atif(ExportFormat):
    """`<split>/<id>.json`."""

    name = "atif"
    reader = "Harbor's tools and models (`harbor.models.trajectories.Trajectory`), one trajectory a file."
    mask = "not honoured by the format: each agent step has `extra.trained`, which a reader may use"

    @contextmanager
    def open(self, folder: Path) -> Iterator[WriteExample]:
        """One file at a time."""
        for split in SPLITS:
            (folder / split).mkdir()

        def write(example: SFTExample) -> None:
            text = json.dumps(trajectory(example), ensure_ascii=False, indent=1)
            (folder / example.split / f"{example.id}.json").write_text(text + "\n", encoding="utf-8")

        yield write


def trajectory(example: SFTExample) -> dict[str, Any]:
    """The session as a trajectory: answers of tools belong to the step that called them."""
    steps: list[dict[str, Any]] = []
    for message, trained in zip(example.messages, example.train_mask, strict=True):
        if message["role"] == "tool":
            result = {"source_call_id": message["tool_call_id"], "content": message["content"]}
            steps[-1].setdefault("observation", {"results": []})["results"].append(result)
            continue
        step: dict[str, Any] = {"step_id": len(steps) + 1, "source": _SOURCE[message["role"]]}
        step["message"] = message.get("content") or ""
        if message["role"] == "assistant":
            if message.get("reasoning_content"):
                step["reasoning_content"] = message["reasoning_content"]
            if message.get("tool_calls"):
                step["tool_calls"] = [_call(call) for call in message["tool_calls"]]
            step["extra"] = {"trained": bool(trained)}
        steps.append(step)
    agent = {
        "name": example.provenance.get("agent_command") or "ise_assets",
        "version": ise_assets.__version__,
        "model_name": example.agent_model,
        "tool_definitions": example.tools,
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "session_id": example.dialogue_id,
        "trajectory_id": example.id,
        "agent": agent,
        "steps": steps,
        "final_metrics": {"total_steps": len(steps)},
        "extra": {"domain": example.domain, "split": example.split, "provenance": example.provenance},
    }


_SOURCE = {"system": "system", "user": "user", "assistant": "agent"}


def _call(call: dict[str, Any]) -> dict[str, Any]:
    return {
        "tool_call_id": call["id"],
        "function_name": call["function"]["name"],
        "arguments": arguments_of(call),
        "extra": {"arguments_text": call["function"]["arguments"]},
    }
