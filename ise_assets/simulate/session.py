"""One live session: a seeded workspace, a user and an agent, from the opening words to the acceptance checks.

Every way it can go ends in a `Dialogue` with its status and reason; only cancellation passes through, and it takes the
workspace down with it. A workspace that dies is infrastructure: the session starts again in a fresh one.
"""

from __future__ import annotations

import json
import posixpath
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ise_assets.execute.acceptance import CheckerError, is_accepted, run_checks, spoken
from ise_assets.execute.manifest import manifest_of
from ise_assets.execute.models import CheckResult, FileChange, LiveCall, WorkspaceDied
from ise_assets.execute.seed import plant
from ise_assets.execute.tool_schemas import offered_tools
from ise_assets.execute.tools import call_tool, names_of
from ise_assets.execute.workspace import Backend, FileRefused, Limits, Workspace
from ise_assets.intent.models import Intent, Persona, Task
from ise_assets.intent.template import HOME
from ise_assets.llm import SCRIPTED_PROVIDER, Ledger, ModelFailure, Script
from ise_assets.settings import Settings
from ise_assets.simulate.agent import Agent, EmptyAnswer
from ise_assets.simulate.models import Dialogue, SessionStatus, UserTurn, dialogue_id
from ise_assets.simulate.user import EXCERPT_CHARS, EXCERPT_FILES, Observation, UserModelError, UserSimulator

OnEvent = Callable[[str, dict[str, Any]], None]
"""Is shown a session as it happens: (kind, details); kinds: user_text, agent_text, tool_call, tool_result, check."""


class Scripts(Protocol):
    """Makes the two scripts of a session (user's, agent's), as `simulate.scripted.teacher.scripts_for` does."""

    def __call__(
        self, intent: Intent, tasks: Mapping[str, Task], persona: Persona, rollout_index: int, /
    ) -> tuple[Script, Script]: ...


async def run_session(
    intent: Intent,
    persona: Persona,
    tasks: dict[str, Task],
    backend: Backend,
    limits: Limits,
    settings: Settings,
    ledger: Ledger,
    rollout_index: int,
    on_event: OnEvent | None = None,
    scripts: Scripts | None = None,
) -> Dialogue:
    """Let the persona's user and the agent talk about `intent` in a fresh workspace, and check what came of it.

    Args:
        intent: what is wanted, with its seed and its checks.
        persona: who wants it.
        tasks: scenarios by content hash (`intent.scenario_hashes` are among them).
        backend: where workspaces come from; `limits` is what each may use.
        settings: models, and the limits of a session (turns, calls, minutes).
        ledger: gets the session's model calls; its totals become the session's tokens and cost.
        rollout_index: the how-manieth session of this intent, from 0.
        on_event: is shown the session while it goes on.
        scripts: makes the scripts for scripted models; the scripted teacher's own by default.

    Returns:
        The session, also when it failed: status `error` with `stop_reason`, and what there was until then.
    """
    session = _Session(
        intent, persona, tasks, backend, limits, settings, ledger, rollout_index, on_event or _unseen, scripts
    )
    started = time.monotonic()
    attempt = 0
    while True:
        attempt += 1
        try:
            dialogue = await session.run()
            break
        except WorkspaceDied as error:
            dialogue = session.dialogue
            dialogue.status, dialogue.stop_reason = "error", f"workspace_died: {error}"
            if attempt >= settings.max_attempts:
                break
    dialogue.attempts = attempt
    dialogue.prompt_tokens, dialogue.completion_tokens = ledger.prompt_tokens, ledger.completion_tokens
    dialogue.cost_usd = ledger.cost_usd
    dialogue.duration_s = time.monotonic() - started
    return dialogue


def _unseen(kind: str, details: dict[str, Any]) -> None:
    return None


@dataclass
class _Session:
    intent: Intent
    persona: Persona
    tasks: dict[str, Task]
    backend: Backend
    limits: Limits
    settings: Settings
    ledger: Ledger
    rollout_index: int
    told: OnEvent
    scripts: Scripts | None

    def __post_init__(self) -> None:
        self.dialogue = self._fresh()

    def _fresh(self) -> Dialogue:
        identity = dialogue_id(self.intent.id, self.rollout_index)
        needed = {name for i in self.intent.seed for name in self.tasks[i.scenario_hash].tools_needed}
        return Dialogue(
            id=identity,
            intent_id=self.intent.id,
            rollout_index=self.rollout_index,
            user_model=self.settings.user_model,
            agent_model=self.settings.agent_model,
            tools=offered_tools(identity, sorted(needed), self.settings.web_hosts),
            backend=self.backend.name,
        )

    async def run(self) -> Dialogue:
        """One try, in one workspace."""
        self.dialogue = self._fresh()
        async with await Workspace.start(self.backend, self.limits) as workspace:
            truths = await plant(workspace, self.intent, self.tasks)
            baseline = await run_checks(workspace, self.intent, self.tasks, truths, {}, None)
            await workspace.mark_baseline()
            started = time.monotonic()
            user, agent = self._cast(workspace, started)
            try:
                await self._talk(workspace, user, agent)
            except (ModelFailure, UserModelError, EmptyAnswer) as error:
                self.dialogue.failure = error if isinstance(error, ModelFailure) else None
                self._end("error", f"{type(error).__name__}: {error}")
            finally:
                self.dialogue.messages, self.dialogue.calls = agent.messages, agent.calls
                self.dialogue.drift_turns = user.drift_turns
                self.dialogue.regenerated_turns = user.regenerated_turns
            if self.dialogue.status != "error":
                replies = spoken(self.dialogue.messages, self.dialogue.subgoal_turns)
                try:
                    self.dialogue.files = await manifest_of(workspace)
                    final = await run_checks(workspace, self.intent, self.tasks, truths, replies, baseline)
                except CheckerError as error:  # the conversation is paid for and kept
                    self._end("error", f"{type(error).__name__}: {error}")
                else:
                    self._judge(baseline, final)
        return self.dialogue

    def _cast(self, workspace: Workspace, started: float) -> tuple[UserSimulator, Agent]:
        user_script, agent_script = self._scripts()
        offered = names_of(self.dialogue.tools)
        user = UserSimulator(
            intent=self.intent,
            persona=self.persona,
            settings=self.settings,
            ledger=self.ledger,
            item_id=self.dialogue.id,
            script=user_script,
        )
        agent = Agent(
            settings=self.settings,
            ledger=self.ledger,
            item_id=self.dialogue.id,
            tools=self.dialogue.tools,
            call_tool=lambda name, arguments, index: call_tool(
                workspace, name, arguments, call_index=index, settings=self.settings, offered=offered
            ),
            deadline=started + self.settings.max_session_minutes * 60,
            started=started,
            told=self.told,
            script=agent_script,
        )
        return user, agent

    def _scripts(self) -> tuple[Script | None, Script | None]:
        models = (self.settings.user_model, self.settings.agent_model)
        if not any(model.startswith(f"{SCRIPTED_PROVIDER}/") for model in models):
            return None, None
        if self.scripts is not None:
            return self.scripts(self.intent, self.tasks, self.persona, self.rollout_index)
        from ise_assets.simulate.scripted.teacher import scripts_for

        return scripts_for(self.intent, self.tasks, self.persona, self.rollout_index)

    async def _talk(self, workspace: Workspace, user: UserSimulator, agent: Agent) -> None:
        sight = _Sight(workspace)
        turn = user.say_first()
        for number in range(1, self.settings.max_user_turns + 1):
            self.dialogue.subgoal_turns.setdefault(turn.subgoal, []).append(number)
            self.told("user_text", {"turn": number, "text": turn.message, "subgoal": turn.subgoal})
            before = len(agent.calls)
            stop = await agent.answer_user(number, turn.message)
            if stop != "answered":
                return self._end("turn_limit", stop)
            answer = str(agent.messages[-1].get("content") or "")
            observation = await sight.look(agent.calls[before:])
            turn = await user.next_turn(answer, observation, max(1.0, agent.deadline - time.monotonic()))
            if turn.done:
                return self._end(*_ending(turn))
        return self._end("turn_limit", "max_user_turns")

    def _end(self, status: SessionStatus, reason: str) -> None:
        self.dialogue.status, self.dialogue.stop_reason = status, reason[:2_000]

    def _judge(self, baseline: list[CheckResult], final: list[CheckResult]) -> None:
        self.dialogue.live_checks = final
        self.dialogue.accepted_live = is_accepted(self.intent, baseline, final)
        before = {check.name: check.held for check in baseline}
        for check in final:
            self.told("check", {"name": check.name, "before": before.get(check.name, False), "result": check})


def _ending(turn: UserTurn) -> tuple[SessionStatus, str]:
    if turn.satisfied:
        return "completed", f"user satisfied: {turn.reason}" if turn.reason else "user satisfied"
    return "gave_up", f"user not satisfied: {turn.reason}" if turn.reason else "user not satisfied"


class _Sight:
    """What the user sees of the workspace: only what is new since the last look."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: dict[str, FileChange] = {}

    async def look(self, calls: list[LiveCall]) -> Observation:
        """Changes since the last look, with short excerpts of text files, and the commands among `calls`."""
        current = {change.path: change for change in await self._workspace.changes() if change.kind != "dir"}
        written = _written(calls)  # a file rewritten in the same size looks the same from outside
        fresh = [change for path, change in current.items() if path in written or self._known.get(path) != change]
        self._known = current
        files: list[tuple[FileChange, str | None]] = []
        for number, change in enumerate(sorted(fresh, key=lambda item: item.path)):
            files.append((change, await self._excerpt(change) if number < EXCERPT_FILES else None))
        return Observation(files, [call for call in calls if call.name == "exec" and call.exit_code is not None])

    async def _excerpt(self, change: FileChange) -> str | None:
        if change.kind != "file" or change.change == "deleted":
            return None
        try:
            data = await self._workspace.read_bytes(change.path, limit=EXCERPT_CHARS * 4)
        except FileRefused:  # gone again, or not for this user to read
            return None
        if b"\0" in data:
            return None
        return data.decode("utf-8", "replace")[:EXCERPT_CHARS]


def _written(calls: list[LiveCall]) -> set[str]:
    return {
        posixpath.join(HOME, str(json.loads(call.arguments)["path"]).removeprefix("~/"))
        for call in calls
        if call.name in ("write", "edit") and call.outcome == "ok"
    }
