"""What crosses the borders of the execute stage: results of tools, checks, replays.

A failure of the *workspace* is `WorkspaceDied` (infrastructure: the session is tried again). A failure of a *tool* is
data: a `ToolResult` with its outcome, shown to the model as it is and labelled, never called a success.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal[
    "ok",
    "nonzero_exit",
    "timeout",
    "killed",
    "invalid_arguments",
    "unknown_tool",
    "denied",
    "not_found",
    "tool_error",
]
FailureClass = Literal[
    "benign",
    "missing_path",
    "permission",
    "syntax",
    "missing_command",
    "timeout",
    "network",
    "assertion",
    "conflict",
    "bad_arguments",
    "resource_limit",
    "other",
]


class WorkspaceError(RuntimeError):
    """Something about workspaces that is not the model's doing."""


class WorkspaceDied(WorkspaceError):
    """The workspace or its tool server ended, or spoke nonsense; the session must start again in a fresh one."""


class BackendUnavailable(WorkspaceError):
    """The backend cannot run on this machine; the message says why and how to mend it."""


@dataclass(frozen=True)
class ExecResult:
    """What a command did.

    `exit_code` is None when it did not exit by itself (timeout); `signal` the number that killed it, if any.
    `stdout` and `stderr` hold what fits the cap (head and tail); `stdout_bytes`/`stderr_bytes` what was written in all.
    `process_id` names a background process (`p1`, `p2`, ... in order of start). `memory_kills` counts the processes that were
    killed meanwhile because the workspace was over its memory limit.
    """

    exit_code: int | None
    stdout: str
    stderr: str
    duration_ms: float
    timed_out: bool = False
    signal: int | None = None
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    truncated: bool = False
    process_id: str | None = None
    memory_kills: int = 0


@dataclass(frozen=True)
class FileChange:
    """A path (absolute, in the workspace) that differs from the baseline manifest."""

    path: str
    change: Literal["added", "modified", "deleted"]
    size: int
    kind: Literal["file", "dir", "symlink", "other"] = "file"


@dataclass(frozen=True)
class ToolResult:
    """The answer to one tool call.

    `content` is exactly what the model is shown. `outcome` is true to what happened; `exit_code` is set for commands.
    `stdout`/`stderr` are kept apart for evidence; for other tools `stdout` is the result text and `stderr` the error.
    """

    outcome: Outcome
    content: str
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False
    duration_ms: float = 0.0


@dataclass(frozen=True)
class CheckResult:
    """One check at one moment: whether it holds, and the evidence (what was seen, cut to 500 characters)."""

    name: str
    kind: str
    held: bool
    evidence: str = ""
    baseline: str | None = None


@dataclass
class LiveCall:
    """A tool call as it happened in the live session: what the replay must reproduce."""

    index: int
    user_turn: int
    tool_call_id: str
    name: str
    arguments: str
    outcome: Outcome
    content: str
    exit_code: int | None
    stdout: str
    stderr: str
    truncated: bool
    offset_s: float
    duration_ms: float


@dataclass
class Trace:
    """A replayed session: evidence per call, checks before and after, divergences, recoveries."""

    dialogue_id: str
    reproduced: bool
    accepted: bool | None
    declined: bool
    checks: list[dict[str, Any]] = field(default_factory=list)
    guards: list[dict[str, Any]] = field(default_factory=list)
    divergence: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    recovery_spans: list[dict[str, Any]] = field(default_factory=list)
    changed_files: list[dict[str, Any]] = field(default_factory=list)
    backend: str = ""
