"""One session that is hostile wherever it can be: markup in every text of every table that the viewer reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ise_assets.warehouse import Warehouse, replace_rows, rows_to_arrow

HOSTILE = "</pre></script><script>window.hacked=1;document.title='hacked'</script><img src=x onerror=\"window.hacked=1\">'\"{{7*7}}"
WHEN = datetime(2026, 6, 11, tzinfo=UTC)


def insert(warehouse: Warehouse, table: str, keys: list[str], *rows: dict[str, Any]) -> None:
    warehouse.write(lambda c: [replace_rows(c, table, rows_to_arrow(table, [row]), keys) for row in rows])


def add_session(warehouse: Warehouse, identity: str, text: str = "plain words", **changes: Any) -> None:
    """A session with its intent, persona, trace and two calls, `text` in all of it; `changes` overwrite columns."""
    call = {"id": "c0", "type": "function", "function": {"name": text, "arguments": json.dumps({text: text})}}
    broken = {"id": "c1", "type": "function", "function": {"name": "exec", "arguments": f"{{{text}"}}
    messages = [
        {"role": "system", "content": text},
        {"role": "user", "content": text},
        {"role": "assistant", "content": text, "tool_calls": [call, broken]},
        {"role": "tool", "tool_call_id": "c0", "content": text},
        {"role": "tool", "tool_call_id": "c1", "content": text},
        {"role": "assistant", "content": text},
    ]
    live = {"user_turn": 1, "name": text, "arguments": text, "outcome": text, "content": text, "exit_code": 2}
    live |= {"stdout": text, "stderr": text, "truncated": False, "offset_s": 0.0, "duration_ms": 3.0}
    check = {"name": text, "task": text, "kind": text, "held_before": False, "held_after": True, "evidence": text}
    span = {"id": text, "failed_call": 0, "recovered_call": 1, "how": text}
    found = [
        {"call": 0, "what": text, "live": text, "replay": text},
        {"call": None, "what": text, "live": text, "replay": text},
    ]
    tables: list[tuple[str, list[str], dict[str, Any]]] = [
        (
            "persona_pool",
            ["id"],
            {
                "id": identity,
                "name": text,
                "role": text,
                "industry": text,
                "communication_style": text,
                "work_context": text,
            },
        ),
        (
            "intent_pool",
            ["id"],
            {"id": identity, "domain": "file-io", "tasks": [text], "persona_id": identity, "persona_list": text}
            | {"complexity": text, "utterance": text, "subgoals": json.dumps([{"wants": text, "key": text}])}
            | {"scenario_hashes": json.dumps({text: text}), "writer_model": text, "run_id": text},
        ),
        (
            "simulated_dialogues",
            ["id"],
            {"id": identity, "domain": "file-io", "intent_id": identity, "status": text, "stop_reason": text}
            | {"accepted_live": True, "user_turns": 1, "tool_call_count": 2, "distinct_tools": 2, "drift_turns": 0}
            | {"messages": json.dumps(messages), "subgoal_turns": json.dumps({text: [1]}), "cost_usd": 0.5}
            | {
                "calls": json.dumps([live | {"index": n, "tool_call_id": f"c{n}"} for n in range(2)]),
                "written_at": WHEN,
            }
            | {"user_model": text, "agent_model": text, "backend": text, "run_id": text},
        ),
        (
            "executed_traces",
            ["dialogue_id"],
            {"dialogue_id": identity, "domain": "file-io", "accepted": True, "reproduced": False, "declined": False}
            | {"checks": json.dumps([check]), "guards": json.dumps([check]), "divergence": json.dumps(found)}
            | {"failures": 1, "recoveries": 1, "recovery_spans": json.dumps([span]), "run_id": text}
            | {"changed_files": json.dumps([{"path": text, "change": text, "kind": text, "size": 3}])},
        ),
        *(
            (
                "tool_calls",
                ["dialogue_id", "call_index"],
                {"dialogue_id": identity, "call_index": n, "name": name, "outcome": text, "failure_class": text}
                | {"recovery_id": text},
            )
            for n, name in enumerate((text, "exec"))
        ),
    ]
    for table, keys, row in tables:
        insert(warehouse, table, keys, row | {name: value for name, value in changes.items() if name in row})


def fill(path: Path) -> Warehouse:
    """Sixty plain sessions and the hostile one."""
    warehouse = Warehouse(path)
    for number in range(60):
        domain = "file-io" if number % 2 else "multimedia"
        name = "web_fetch" if number % 3 == 0 else "read"
        changes = {"domain": domain, "accepted": number % 4 != 0, "failures": number % 5, "drift_turns": number % 7}
        add_session(warehouse, f"s{number:03}", f"words {number}", status="completed", name=name, **changes)
    add_session(warehouse, "hostile", HOSTILE)
    return warehouse
