"""A small session for tests: a ledger that has to be summed, who wants it, and scripts that play user and agent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

from ise_assets.intent.models import Intent, Persona, Task, TaskInstance
from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow

ROOT = "/home/user/ledger"
_NUMBERS = count()

TASK = Task.model_validate(
    {
        "name": "sum-the-ledger",
        "domain": "file-io",
        "title": "Sum a ledger",
        "description": "A ledger has to be summed, and the sum noted.",
        "aim": ["the sum of the ledger"],
        "tools": ["exec", "write", "read"],
        "root": "ledger",
        "seed": [{"file": {"path": "{{ root }}/ledger.csv", "content": "item,amount\nrope,12\nsail,30\n"}}],
        "facts": {"column": {"value": "amount", "says": "the column is called amount"}},
        "subgoals": [
            {
                "id": "total",
                "wants": "the sum of the ledger in total.txt",
                "says": "Please sum the ledger into total.txt.",
            },
            {"id": "note", "wants": "a note of the date", "says": "Now a note.txt that says done."},
        ],
        "acceptance": [
            {"file_contains": {"path": "{{ root }}/total.txt", "pattern": "^42$"}},
            {"reply": {"subgoal": "total", "mentions": "42"}},
        ],
        "guards": [{"check": {"unchanged": "{{ root }}/ledger.csv"}, "violation": "rm ledger.csv"}],
        "solution": {"total": [{"say": "42"}], "note": [{"say": "done"}]},
        "other_ways": [{"total": [{"say": "42"}], "note": [{"say": "done"}]}],
        "wrong_ways": [
            {"why": "nothing done", "steps": [{"exec": "true"}]},
            {"why": "wrong sum", "steps": [{"exec": "echo 41 > total.txt"}]},
        ],
        "slips": [
            {
                "at": "total",
                "step": {"exec": "cat ledger.txt"},
                "fails_with": {"exit_code": 1},
                "recovery": [{"exec": "ls"}],
            }
        ],
        "verify": [{"exec": "cat total.txt"}],
    }
)


ADA = Persona(
    name="Ada Quist",
    role="boat builder",
    industry="shipbuilding",
    expertise=("ropes", "sails"),
    experience_level="senior",
    communication_style="short and friendly",
    work_context="keeps the books of a small yard",
)


def make_intent(number: int = 0) -> Intent:
    """The same small wish, as many times as a test likes."""
    return Intent.model_validate(
        {
            "id": f"intent{number}",
            "persona_id": ADA.id,
            "persona_list": "test",
            "domain": "file-io",
            "domains": ["file-io"],
            "tasks": [TASK.name],
            "complexity": "simple",
            "utterance": f"Hi, please sum ledger no. {number} into total.txt.",
            "seed": [TaskInstance(task=TASK.name, scenario_hash=TASK.content_hash, params={}, root=ROOT, ports={})],
            "subgoals": [
                {
                    "key": "0.total",
                    "task": TASK.name,
                    "task_index": 0,
                    "id": "total",
                    "wants": "the sum of the ledger in total.txt",
                    "says": ["Please sum the ledger into total.txt."],
                    "withheld": {"column": "the column is called amount"},
                    "facts": {"column": "amount", "ledger": f"{ROOT}/ledger.csv"},
                },
                {
                    "key": "0.note",
                    "task": TASK.name,
                    "task_index": 0,
                    "id": "note",
                    "wants": "a note that says done",
                    "says": ["Now a note.txt that says done."],
                    "withheld": {},
                    "facts": {"note": f"{ROOT}/note.txt"},
                },
            ],
            "acceptance": [
                {
                    "key": "0.a0",
                    "task": TASK.name,
                    "task_index": 0,
                    "guard": False,
                    "violation": None,
                    "check": {"file_contains": {"path": f"{ROOT}/total.txt", "pattern": "^42$", "absent": False}},
                },
                {
                    "key": "0.a1",
                    "task": TASK.name,
                    "task_index": 0,
                    "guard": False,
                    "violation": None,
                    "check": {"reply": {"subgoal": "total", "mentions": ["42"]}},
                },
                {
                    "key": "0.g0",
                    "task": TASK.name,
                    "task_index": 0,
                    "guard": True,
                    "violation": "rm ledger.csv",
                    "check": {"unchanged": f"{ROOT}/ledger.csv"},
                },
            ],
            "scenario_hashes": {TASK.name: TASK.content_hash},
            "writer_model": "scripted/teacher",
            "spec_hash": "s",
        }
    )


def fill(warehouse: Warehouse, count: int) -> None:
    """`count` kept intents, their persona and their scenario."""
    now = datetime.now(UTC)
    stamp = {"run_id": "r0", "written_at": now}
    intents = [make_intent(number) for number in range(count)]
    rows: dict[str, list[dict[str, Any]]] = {
        "persona_pool": [{**ADA.model_dump(), "expertise": list(ADA.expertise), "source_sha256": "x", **stamp}],
        "task_catalog": [
            {
                "content_hash": TASK.content_hash,
                "name": TASK.name,
                "domain": TASK.domain,
                "title": TASK.title,
                "description": TASK.description,
                "tiers": list(TASK.tiers),
                "tools": list(TASK.tools),
                "subgoals": 2,
                "current": True,
                "spec": json.dumps(TASK.model_dump(mode="json", by_alias=True)),
                **stamp,
            }
        ],
        "intent_pool": [
            {
                **{
                    key: json.dumps(value) if key in ("seed", "subgoals", "acceptance", "scenario_hashes") else value
                    for key, value in intent.model_dump(mode="json").items()
                },
                **stamp,
            }
            for intent in intents
        ],
        "deduped_pool": [{"intent_id": i.id, "domain": TASK.domain, "spec_hash": "s", **stamp} for i in intents],
    }

    def put(connection: Any) -> None:
        for table, items in rows.items():
            key = {"task_catalog": "content_hash", "deduped_pool": "intent_id"}.get(table, "id")
            replace_rows(connection, table, rows_to_arrow(table, items), [key])

    warehouse.write(put)


TASKS = {TASK.content_hash: TASK}


class Playlist:
    """A script that plays its entries in order; callables are shown the messages, text becomes a plain answer."""

    def __init__(self, *entries: Any) -> None:
        self.entries = list(entries)
        self.seen: list[list[dict[str, Any]]] = []

    def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        self.seen.append([dict(message) for message in messages])
        entry = self.entries.pop(0)
        if callable(entry):
            entry = entry(messages)
        return entry if isinstance(entry, dict) else {"role": "assistant", "content": entry}


def turn(message: str, subgoal: str, done: bool = False, satisfied: bool = True, reason: str = "") -> str:
    """A user's turn as the model would write it."""
    return json.dumps({"message": message, "subgoal": subgoal, "done": done, "satisfied": satisfied, "reason": reason})


def calls(*wanted: tuple[str, dict[str, Any] | str], say: str | None = None) -> dict[str, Any]:
    """An assistant message with tool calls; arguments given as text are sent as they are."""
    return {
        "role": "assistant",
        **({"content": say} if say is not None else {}),
        "tool_calls": [
            {
                "id": f"c{next(_NUMBERS)}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
                },
            }
            for name, arguments in wanted
        ],
    }


GOOD_USER: tuple[str, ...] = (
    turn("Good. Now a note.txt that says done.", "0.note"),
    turn("Please check both files once more.", "verification"),
    turn("Thanks.", "verification", done=True, reason="both files are right"),
)


def good_agent() -> list[Any]:
    """An agent that slips once, recovers, and does what is asked."""
    return [
        calls(("exec", {"command": f"cat {ROOT}/ledger.txt"}), say="Let me see the ledger."),
        calls(("exec", {"command": f"cat {ROOT}/ledger.csv"})),
        calls(("write", {"path": f"{ROOT}/total.txt", "content": "42\n"})),
        "The sum is 42; it is in total.txt.",
        calls(("write", {"path": f"{ROOT}/note.txt", "content": "done\n"})),
        "The note is there.",
        calls(("exec", {"command": f"cat {ROOT}/total.txt {ROOT}/note.txt"})),
        "Checked: total.txt says 42, note.txt says done.",
    ]
