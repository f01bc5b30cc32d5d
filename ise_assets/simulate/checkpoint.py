"""A session between two user turns, whole enough to go on from there in another process.

The conversation is kept as it was paid for. The workspace is not copied: its calls are run again in a fresh one, as the execute stage
does with every session, which brings back running services and processes too. Where a call then gives something else, the session
starts over.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ise_assets.execute.models import LiveCall
from ise_assets.llm import LlmCall
from ise_assets.simulate.context import Elision
from ise_assets.simulate.models import UserTurn


@dataclass(frozen=True)
class Checkpoint:
    """All that was said and done until the user wrote `turn`, the `number`-th of the session, which the agent has not seen yet.

    `user` is the user simulator's state; `elapsed_s` the seconds that the session had taken, without interruptions.
    """

    spec_hash: str
    number: int
    turn: UserTurn
    user: dict[str, Any]
    messages: list[dict[str, Any]]
    calls: list[LiveCall]
    elisions: list[Elision]
    subgoal_turns: dict[str, list[int]]
    llm_calls: list[LlmCall]
    elapsed_s: float

    def body(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **vars(self),
            "turn": self.turn.model_dump(),
            "calls": [asdict(call) for call in self.calls],
            "elisions": [asdict(elision) for elision in self.elisions],
            "llm_calls": [{**vars(call), "written_at": call.written_at.isoformat()} for call in self.llm_calls],
        }

    @classmethod
    def of(cls, body: dict[str, Any]) -> Checkpoint:
        """From `body`'s JSON values."""
        return cls(
            **{
                **body,
                "turn": UserTurn.model_validate(body["turn"]),
                "calls": [LiveCall(**call) for call in body["calls"]],
                "elisions": [Elision(**elision) for elision in body["elisions"]],
                "llm_calls": [
                    LlmCall(**{**call, "written_at": datetime.fromisoformat(call["written_at"])})
                    for call in body["llm_calls"]
                ],
            }
        )
