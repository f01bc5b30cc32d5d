"""Acceptance: the checks and guards of an intent, held against the state of its workspace.

One small Python process inside the workspace looks at everything at once; only checks of kind `reply` are decided here, from the
agent's words. A check is asked on the fresh seed and again at the end: accepted means that it holds now and did not then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ise_assets.execute.models import CheckResult, WorkspaceError
from ise_assets.execute.seed import script_parameters
from ise_assets.execute.workspace import Workspace
from ise_assets.intent.models import CHECK_KINDS, Intent, Task
from ise_assets.intent.template import settle

CHECKS_TIMEOUT_S = 180.0


class CheckerError(WorkspaceError):
    """The checker did not answer as it should: the workspace is broken, or a check's script hangs."""


@cache
def checker_source() -> str:
    """The checker's Python, to which a call of its `main` is appended."""
    return (Path(__file__).with_name("checker.py")).read_text(encoding="utf-8")


async def run_checks(
    workspace: Workspace,
    intent: Intent,
    tasks: Mapping[str, Task],
    truths: Mapping[str, Mapping[str, Any]],
    replies: Mapping[str, str],
    baseline: Sequence[CheckResult] | None,
) -> list[CheckResult]:
    """Every entry of `intent.acceptance`, in order, guards among them.

    Args:
        truths: what `plant` returned.
        replies: all the agent said in each subgoal's turns, by subgoal key.
        baseline: the results on the fresh seed; None when this is the fresh seed.

    Raises:
        CheckerError: the checker gave no proper answer.
    """
    settled = settled_checks(intent, truths)
    seen = iter(await _inside(workspace, checker_items(intent, tasks, truths, baseline)))
    return [
        _reply(entry, check["reply"], replies) if kind_of(check) == "reply" else _result(entry, check, next(seen))
        for entry, check in zip(intent.acceptance, settled, strict=True)
    ]


def settled_checks(intent: Intent, truths: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The checks of `intent.acceptance`, in order, with the truths put in."""
    return [settle(entry["check"], truths[str(entry["task_index"])]) for entry in intent.acceptance]


def checker_items(
    intent: Intent,
    tasks: Mapping[str, Task],
    truths: Mapping[str, Mapping[str, Any]],
    baseline: Sequence[CheckResult] | None,
) -> list[dict[str, Any]]:
    """What the checker is asked: everything but the checks of kind `reply`, in order; arguments as those of `run_checks`."""
    before = {result.name: result.baseline for result in baseline or ()}
    items: list[dict[str, Any]] = []
    for entry, check in zip(intent.acceptance, settled_checks(intent, truths), strict=True):
        kind = kind_of(check)
        if kind == "reply":
            continue
        index = entry["task_index"]
        instance = intent.seed[index]
        item = {"kind": kind, "spec": check[kind], "root": instance.root, "baseline": before.get(entry["key"])}
        if kind == "script":
            item["source"] = tasks[instance.scenario_hash].scripts[check["script"]]
            item["environment"] = {
                "PARAMS": script_parameters(instance, f"{intent.id}.{index}"),
                "TRUTH": json.dumps(truths[str(index)]),
            }
        items.append(item)
    return items


def spoken(messages: Sequence[Mapping[str, Any]], turns: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """All the agent said, by subgoal key: the assistant's text of the user turns (from 1) that were about it."""
    words: dict[int, list[str]] = {}
    turn = 0
    for message in messages:
        if message["role"] == "user":
            turn += 1
        elif message["role"] == "assistant" and message.get("content"):
            words.setdefault(turn, []).append(str(message["content"]))
    return {key: "\n".join(text for n in numbers for text in words.get(n, ())) for key, numbers in turns.items()}


def is_accepted(intent: Intent, before: Sequence[CheckResult], after: Sequence[CheckResult]) -> bool | None:
    """Whether every check holds now and did not on the fresh seed, and every guard held both times; None without any check."""
    if not intent.acceptance:
        return None
    guards = {entry["key"] for entry in intent.acceptance if entry["guard"]}
    then = {result.name: result.held for result in before}
    return bool(after) and all(result.held and then[result.name] is (result.name in guards) for result in after)


def kind_of(check: Mapping[str, Any]) -> str:
    """The kind of a rendered check."""
    return next(kind for kind in CHECK_KINDS if check.get(kind) is not None)


async def _inside(workspace: Workspace, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not items:
        return []
    source = f"{checker_source()}\n\nmain(json.loads({json.dumps(items)!r}))\n"
    result = await workspace.run_python(source, timeout_s=CHECKS_TIMEOUT_S)
    try:
        answers = json.loads(result.stdout)
        valid = isinstance(answers, list) and len(answers) == len(items) and all(isinstance(a, dict) for a in answers)
    except ValueError:
        valid = False
    if not valid:
        raise CheckerError(f"the checker answered exit {result.exit_code}: {(result.stderr or result.stdout)[-400:]}")
    return list(answers)


def _result(entry: Mapping[str, Any], check: Mapping[str, Any], answer: Mapping[str, Any]) -> CheckResult:
    fingerprint = answer.get("baseline")
    return CheckResult(
        name=str(entry["key"]),
        kind=kind_of(check),
        held=answer.get("held") is True,
        evidence=str(answer.get("evidence", ""))[:500],
        baseline=str(fingerprint) if fingerprint is not None else None,
    )


def _reply(entry: Mapping[str, Any], reply: Mapping[str, Any], replies: Mapping[str, str]) -> CheckResult:
    said = replies.get(f"{entry['task_index']}.{reply['subgoal']}", "")
    missing = [pattern for pattern in reply["mentions"] if not re.search(pattern, said, re.IGNORECASE | re.MULTILINE)]
    evidence = f"not said: {', '.join(missing)}" if missing else said
    return CheckResult(name=str(entry["key"]), kind="reply", held=not missing, evidence=evidence[:500])
