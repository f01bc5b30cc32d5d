"""What the viewer's pages show: a page of the list, one session as a conversation. Everything in it is untrusted text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from ise_assets.warehouse import Warehouse, sql

PAGE = 50
SORTS = ("id", "newest", "failures", "calls", "cost")
YesNo = Literal["yes", "no"]


class Filters(BaseModel):
    """What the list is narrowed to; the fields are the page's query parameters, all optional."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    domain: str | None = None
    status: str | None = None
    accepted: YesNo | None = None
    reproduced: YesNo | None = None
    failures: int | None = None
    drift: int | None = None
    cost: float | None = None
    persona: str | None = None
    text: str | None = None
    task: str | None = None
    tool: str | None = None
    failure: str | None = None
    sort: Literal["id", "newest", "failures", "calls", "cost"] = "id"
    page: int = 1

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_any(cls, value: object, info: Any) -> object:
        if isinstance(value, str) and not value.strip():
            return cls.model_fields[info.field_name].default
        return value

    @field_validator("page")
    @classmethod
    def _from_one(cls, value: int) -> int:
        return min(max(1, value), 1_000_000)

    def parameters(self) -> dict[str, Any]:
        """The values of the query's parameters."""
        answers = {"yes": True, "no": False, None: None}
        return {
            **self.model_dump(exclude={"page"}),
            "accepted": answers[self.accepted],
            "reproduced": answers[self.reproduced],
            "limit": PAGE,
            "offset": (self.page - 1) * PAGE,
        }

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, for links."""
        return self.model_dump(exclude_defaults=True)


def list_sessions(warehouse: Warehouse, filters: Filters) -> tuple[list[dict[str, Any]], int]:
    """A page of sessions, and how many there are in all; (nothing, 0) past the last page."""
    rows = warehouse.rows(sql("view/list_sessions"), filters.parameters())
    return rows, rows[0]["total"] if rows else 0


def read_session(warehouse: Warehouse, identity: str) -> dict[str, Any] | None:
    """A session's row with JSON columns read, and `turns`: the conversation as the page shows it; None if there is none."""
    found = warehouse.rows(sql("view/one_session"), {"id": identity})
    if not found:
        return None
    session = found[0]
    for name in _JSON:
        session[name] = json.loads(session[name]) if session[name] else _JSON[name]()
    evidence = {row["call_index"]: row for row in warehouse.rows(sql("view/calls_of_session"), {"id": identity})}
    session["turns"] = _turns(session, evidence)
    session["at_the_end"] = [found for found in session["divergence"] if found.get("call") is None]
    return session


_JSON: Mapping[str, type] = {
    "messages": list,
    "calls": list,
    "tools": list,
    "live_checks": list,
    "subgoal_turns": dict,
    "subgoals": list,
    "checks": list,
    "guards": list,
    "divergence": list,
    "recovery_spans": list,
    "changed_files": list,
    "scenario_hashes": dict,
}


def _turns(session: Mapping[str, Any], evidence: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """User turns in order: what was said, and the steps that followed (the agent's words, its calls with what came of them)."""
    live = {call["tool_call_id"]: call for call in session["calls"]}
    differences: dict[int, list[Any]] = {}
    for found in session["divergence"]:
        if found.get("call") is not None:
            differences.setdefault(found["call"], []).append(found)
    about = {number: key for key, numbers in session["subgoal_turns"].items() for number in numbers}
    turns: list[dict[str, Any]] = []
    for message in session["messages"]:
        role, content = message["role"], str(message.get("content") or "")
        if role == "user" or not turns:
            number = len([turn for turn in turns if turn["role"] == "user"]) + (role == "user")
            turns.append({"role": role, "number": number, "text": content, "about": about.get(number), "steps": []})
        elif role == "assistant":
            if content:
                turns[-1]["steps"].append({"kind": "words", "text": content})
            for call in message.get("tool_calls") or ():
                known = live.get(call["id"], {})
                turns[-1]["steps"].append(
                    {
                        "kind": "call",
                        "name": call["function"]["name"],
                        "arguments": _readable(call["function"]["arguments"]),
                        "result": str(known.get("content", "")),
                        "live": known,
                        "replay": evidence.get(known.get("index", -1), {}),
                        "differences": differences.get(known.get("index", -1), []),
                    }
                )
    return turns


def _readable(arguments: str) -> list[tuple[str, str]]:
    """Arguments as (name, value) pairs; as one nameless text where they are no JSON object."""
    try:
        body = json.loads(arguments)
    except (ValueError, RecursionError):
        return [("", arguments)]
    if not isinstance(body, dict):
        return [("", arguments)]
    return [(str(k), v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)) for k, v in body.items()]
