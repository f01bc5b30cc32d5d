"""Sessions written out by hand, in a real warehouse: enough of every table for the train stage to read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ise_assets.intent.models import content_hash
from ise_assets.intent.sampler import intent_id
from ise_assets.settings import Settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow

LIST_SHA256 = "5d41402abc4b2a76b9719d911017c592aabbccddeeff00112233445566778899"
SCENARIO_HASHES = '{"read-the-roster": "ab12"}'
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "exec",
            "description": "Run a command.",
            "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
        },
    },
    {
        "type": "function",
        "function": {
            "name": "read",
            "description": "Read a file.",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
        },
    },
]


def dialogue(who: str) -> list[dict[str, Any]]:
    """A session with a wrong path, its recovery, two calls at once, and text that is easy to damage."""

    def call(number: int, name: str, **arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": json.dumps(arguments)}
        return {"id": f"call_{number}", "type": "function", "function": function}

    def answer(number: int, name: str, content: str) -> dict[str, Any]:
        return {"role": "tool", "tool_call_id": f"call_{number}", "name": name, "content": content}

    return [
        {"role": "system", "content": "You are an agent with a shell."},
        {"role": "user", "content": f"{who} hier: was steht in Müllers Dienstplan? 日本語 \u2028 \\u00e9 \x7f"},
        {"role": "assistant", "content": None, "tool_calls": [call(1, "read", path="/home/user/roster.csv")]},
        answer(1, "read", "error: /home/user/roster.csv: No such file or directory"),
        {
            "role": "assistant",
            "content": "Not there; let me look.",
            "tool_calls": [
                call(2, "exec", command="ls /home/user/plan"),
                call(3, "read", path="/home/user/plan/r.csv"),
            ],
        },
        answer(2, "exec", "r.csv\n"),
        answer(3, "read", "name,shift\r\nMüller,\t'late'\n"),
        {"role": "assistant", "content": "Müller has the late shift."},
        {"role": "user", "content": "thanks, sure?"},
        {"role": "assistant", "content": "Yes: plan/r.csv says so."},
    ]


def ugly_json(value: Any) -> str:
    """Valid JSON that no printer gives back: odd blanks, mixed escapes. What is verbatim survives it."""
    return json.dumps(value, ensure_ascii=True, indent=1).replace("\n ", "\n\t ") + " "


@dataclass
class World:
    """Rows are put in by `session`; `run` makes a stage's run."""

    warehouse: Warehouse
    settings: Settings

    def run(self, run_id: str = "run-split", **settings: Any) -> StageRun:
        return StageRun(self.warehouse, self.settings.model_copy(update=settings), run_id)

    def insert(self, table: str, keys: list[str], *rows: dict[str, Any]) -> None:
        """Put `rows` into `table`, replacing those with the same keys."""
        self._write([(table, keys, row) for row in rows])

    def session(self, who: str, domain: str = "file-io", k: int = 0, **changes: Any) -> str:
        """One persona's session with trace, intent and persona; `changes` overwrite columns wherever they are.

        Returns the dialogue's id. `trace=False`, `intent=False`, `persona=False` leave that row out.
        """
        self._write(self._session(who, domain, k, changes))
        intent = intent_id(self.settings.seed, content_hash("persona", who), k)
        return content_hash("dialogue", intent, changes.get("rollout_index", 0))

    def sessions(self, *people: str) -> None:
        """A session of each, in one transaction."""
        self._write([row for who in people for row in self._session(who, "file-io", 0, {})])

    def execute(self, statement: str) -> None:
        """Damage something."""
        self.warehouse.write(lambda connection: connection.execute(statement))

    def _write(self, rows: list[tuple[str, list[str], dict[str, Any]]]) -> None:
        together: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[dict[str, Any]]] = {}
        for table, keys, row in rows:
            together.setdefault((table, tuple(keys), tuple(row)), []).append(row)

        def write(connection: Any) -> None:
            for (table, keys, _), alike in together.items():
                replace_rows(connection, table, rows_to_arrow(table, alike), keys)

        self.warehouse.write(write)

    def _session(
        self, who: str, domain: str, k: int, changes: dict[str, Any]
    ) -> list[tuple[str, list[str], dict[str, Any]]]:
        persona = content_hash("persona", who)
        intent = intent_id(self.settings.seed, persona, k)
        record = content_hash("dialogue", intent, changes.get("rollout_index", 0))
        written = {"written_at": datetime(2026, 6, 11, tzinfo=UTC)}
        common = {"domain": domain, "spec_hash": "s", **written}
        of_call = {"dialogue_id": record, "replay_outcome": "ok", "run_id": "run-trace", **common}
        rows: list[tuple[str, str, list[str], dict[str, Any]]] = [
            (
                "persona",
                "persona_pool",
                ["id"],
                {"id": persona, "name": who, "persona_list": "clinic.jsonl", "source_sha256": LIST_SHA256}
                | {"run_id": "run-persona", **written},
            ),
            (
                "intent",
                "intent_pool",
                ["id"],
                {"id": intent, "domains": [domain], "tasks": ["read-the-roster"], "persona_id": persona}
                | {"persona_list": "clinic.jsonl", "complexity": "simple", "scenario_hashes": SCENARIO_HASHES}
                | {"utterance": f"{who}: who has the late shift?", "writer_model": "scripted/teacher"}
                | {"seed": None, "run_id": "run-intent", **common},
            ),
            ("kept", "deduped_pool", ["intent_id"], {"intent_id": intent, "run_id": "run-dedup", **common}),
            (
                "dialogue",
                "simulated_dialogues",
                ["id"],
                {"id": record, "intent_id": intent, "rollout_index": 0, "status": "completed", "user_turns": 2}
                | {"dialogue_turns": 9, "tool_call_count": 3, "distinct_tools": 2, "messages": ugly_json(dialogue(who))}
                | {"tools": ugly_json(TOOLS), "user_model": "scripted/teacher", "agent_model": "scripted/teacher"}
                | {"backend": "bubblewrap", "run_id": "run-dialogue", **common},
            ),
            (
                "trace",
                "executed_traces",
                ["dialogue_id"],
                {"dialogue_id": record, "intent_id": intent, "accepted": True, "declined": False, "reproduced": True}
                | {"failures": 1, "recoveries": 1, "run_id": "run-trace", **common},
            ),
        ]
        calls = [
            {"call_index": 0, "name": "read", "outcome": "not_found", "replay_outcome": "not_found"},
            {"call_index": 1, "name": "exec", "outcome": "ok", "exit_code": 0, "replay_exit_code": 0},
            {"call_index": 2, "name": "read", "outcome": "ok"},
        ]
        rows += [("calls", "tool_calls", ["dialogue_id", "call_index"], of_call | call) for call in calls]
        return [
            (table, keys, row | {column: changes[column] for column in changes if column in row})
            for kind, table, keys, row in rows
            if changes.get(kind, True)
        ]
