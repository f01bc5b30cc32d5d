"""One live session: a seeded workspace, a user and an agent, from the opening words to the acceptance checks.

Every way it can go ends in a `Dialogue` with its status and reason; only cancellation passes through, and it takes the
workspace down with it. A workspace that dies is infrastructure: the session goes on in a fresh one, from the last turn of the user.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import posixpath
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol, get_args

from ise_assets.execute.acceptance import CheckerError, is_accepted, run_checks, spoken
from ise_assets.execute.manifest import manifest_of
from ise_assets.execute.models import CheckResult, FileChange, LiveCall, ToolResult, WorkspaceDied
from ise_assets.execute.replay import call_differences, replay_calls
from ise_assets.execute.seed import plant
from ise_assets.execute.tool_schemas import offered_tools
from ise_assets.execute.tools import SHELL, call_tool, names_of
from ise_assets.execute.workspace import Backend, FileRefused, Limits, Workspace
from ise_assets.intent.models import Intent, Persona, Task, ToolName
from ise_assets.intent.template import HOME
from ise_assets.llm import Ledger, ModelFailure, ModelUnavailable, Script
from ise_assets.settings import Settings
from ise_assets.simulate.agent import Agent, EmptyAnswer
from ise_assets.simulate.checkpoint import Checkpoint
from ise_assets.simulate.command import CommandAgent, CommandFailed, name_of
from ise_assets.simulate.knowledge import known_to_the_solution_alone
from ise_assets.simulate.models import Dialogue, SessionStatus, UserTurn, dialogue_id
from ise_assets.simulate.user import EXCERPT_CHARS, EXCERPT_FILES, Observation, UserModelError, UserSimulator

_LOG = logging.getLogger(__name__)

OnEvent = Callable[[str, dict[str, Any]], None]
"""Is shown a session as it happens: (kind, details); kinds: user_text, agent_text, tool_call, tool_result, check."""


Keep = Callable[[Checkpoint], Awaitable[None]]
"""Writes down where a session stands, each time the user has taken a turn."""


@dataclass
class Room:
    """How much of the machine the sessions of a run may use at once: `starting` workspaces, and `calling` tools in them."""

    starting: asyncio.Semaphore
    calling: asyncio.Semaphore

    @classmethod
    def of(cls, settings: Settings) -> Room:
        """Two workspaces at a time for each core; starting is work, and nobody is served by all of them getting ready together."""
        return cls(asyncio.Semaphore(2 * (os.cpu_count() or 1)), asyncio.Semaphore(settings.max_concurrent_tool_calls))


class WentOtherwise(RuntimeError):
    """A call that was run again to bring a workspace back gave something else than before."""


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
    spec_hash: str = "",
    checkpoint: Checkpoint | None = None,
    keep: Keep | None = None,
    room: Room | None = None,
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
        spec_hash: what the session is made from; its checkpoints carry it.
        checkpoint: where an earlier try of this session got to; it goes on from there.
        keep: is awaited with a checkpoint after each turn of the user.
        room: shared with the other sessions of the run.

    Returns:
        The session, also when it failed: status `error` with `stop_reason`, and what there was until then.
    """
    session = _Session(
        intent,
        persona,
        tasks,
        backend,
        limits,
        settings,
        ledger,
        rollout_index,
        on_event or _unseen,
        scripts,
        spec_hash,
        checkpoint,
        keep,
        room or Room.of(settings),
    )
    if checkpoint is not None:
        ledger.calls[:] = checkpoint.llm_calls
    started = time.monotonic() - (checkpoint.elapsed_s if checkpoint else 0.0)
    attempt = 0
    while True:
        attempt += 1
        try:
            dialogue = await session.run()
            break
        except WentOtherwise as error:
            _LOG.warning("session %s starts over: %s", session.dialogue.id, error)
            session.checkpoint = None
            attempt -= 1
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
    spec_hash: str
    checkpoint: Checkpoint | None
    keep: Keep | None
    room: Room

    def __post_init__(self) -> None:
        self.dialogue = self._fresh()

    def _fresh(self) -> Dialogue:
        identity = dialogue_id(self.intent.id, self.rollout_index)
        needed = {name for i in self.intent.seed for name in self.tasks[i.scenario_hash].tools_needed}
        if not self.intent.seed:
            needed = set(get_args(ToolName))  # nobody knows what an imported intent needs
        return Dialogue(
            id=identity,
            intent_id=self.intent.id,
            rollout_index=self.rollout_index,
            user_model=self.settings.user_model,
            agent_model=self.settings.agent_model,
            agent_command=name_of(self.settings),
            tools=[]  # a program brings its own
            if self.settings.agent_command
            else offered_tools(identity, sorted(needed), self.settings.web_hosts),
            backend=self.backend.name,
            accepted_live=False if self.intent.acceptance else None,
        )

    async def run(self) -> Dialogue:
        """One try, in one workspace."""
        self.dialogue = self._fresh()
        async with AsyncExitStack() as stack:
            async with self.room.starting:
                workspace = await stack.enter_async_context(await Workspace.start(self.backend, self.limits))
                truths = await plant(workspace, self.intent, self.tasks)
                baseline = await run_checks(workspace, self.intent, self.tasks, truths, {}, None)
                await workspace.mark_baseline()
                user, agent = self._cast(workspace, known_to_the_solution_alone(self.intent, truths))
                if self.checkpoint is not None:
                    await self._catch_up(workspace, user, agent, self.checkpoint)
            try:
                await self._talk(workspace, user, agent)
            except (ModelFailure, UserModelError, EmptyAnswer, CommandFailed) as error:
                if isinstance(error, ModelUnavailable) and time.monotonic() >= agent.deadline:
                    self._end("turn_limit", "max_session_minutes")  # it was not waited for any longer
                else:
                    self.dialogue.failure = error if isinstance(error, ModelFailure) else None
                    self._end("error", f"{type(error).__name__}: {error}")
            finally:
                self.dialogue.messages, self.dialogue.calls = agent.messages, agent.calls
                self.dialogue.elisions, self.dialogue.tools = agent.elisions, agent.tools
                self.dialogue.drift_turns, self.dialogue.leaked_turns = user.drift_turns, user.leaked_turns
                self.dialogue.regenerated_turns = user.regenerated_turns
                self.dialogue.responsive_turns = user.responsive_turns
                later = self.dialogue.user_turns - 1
                self.dialogue.register_distance = user.register_distance / later if later > 0 else None
            if self.dialogue.status != "error":
                replies = spoken(self.dialogue.messages, self.dialogue.subgoal_turns)
                try:
                    async with self.room.calling:
                        self.dialogue.files = await manifest_of(workspace)
                        final = await run_checks(workspace, self.intent, self.tasks, truths, replies, baseline)
                except CheckerError as error:  # the conversation is paid for and kept
                    self._end("error", f"{type(error).__name__}: {error}")
                else:
                    self._judge(baseline, final)
        return self.dialogue

    @property
    def _offered(self) -> Sequence[str]:
        """Names of the tools that run."""
        return SHELL if self.settings.agent_command else names_of(self.dialogue.tools)

    async def _catch_up(self, workspace: Workspace, user: UserSimulator, agent: Agent, past: Checkpoint) -> None:
        """Bring workspace, user and agent to where `past` was written.

        Raises:
            WentOtherwise: a call gives something else now.
        """
        async for call, result in replay_calls(workspace, past.calls, self._offered, self.settings):
            if different := call_differences(call, result):
                raise WentOtherwise(
                    f"call {call.index} ({call.name}) gave another {different[0]['what']} when run again"
                )
        user.restore(past.user)
        agent.messages, agent.calls, agent.elisions = list(past.messages), list(past.calls), list(past.elisions)
        agent.started = time.monotonic() - past.elapsed_s
        self.dialogue.subgoal_turns = {key: list(turns) for key, turns in past.subgoal_turns.items()}

    def _cast(self, workspace: Workspace, hidden: frozenset[str]) -> tuple[UserSimulator, Agent]:
        user_script, agent_script = self._scripts()
        offered = self._offered
        user = UserSimulator(
            intent=self.intent,
            persona=self.persona,
            settings=self.settings,
            ledger=self.ledger,
            item_id=self.dialogue.id,
            script=user_script,
            hidden=hidden,
        )

        async def run_tool(name: str, arguments: str, index: int) -> ToolResult:
            async with self.room.calling:
                return await call_tool(
                    workspace, name, arguments, call_index=index, settings=self.settings, offered=offered
                )

        agent = (CommandAgent if self.settings.agent_command else Agent)(
            settings=self.settings,
            ledger=self.ledger,
            item_id=self.dialogue.id,
            tools=self.dialogue.tools,
            call_tool=run_tool,
            started=time.monotonic(),
            told=self.told,
            script=agent_script,
        )
        return user, agent

    def _scripts(self) -> tuple[Script | None, Script | None]:
        if not self.settings.plays_scripts:
            return None, None
        if self.scripts is not None:
            return self.scripts(self.intent, self.tasks, self.persona, self.rollout_index)
        from ise_assets.simulate.scripted.teacher import scripts_for

        return scripts_for(self.intent, self.tasks, self.persona, self.rollout_index)

    async def _talk(self, workspace: Workspace, user: UserSimulator, agent: Agent) -> None:
        sight = _Sight(workspace)
        if self.checkpoint is None:
            turn, first = user.say_first(), 1
        else:
            turn, first = self.checkpoint.turn, self.checkpoint.number
            await sight.look([])
        for number in range(first, self.settings.max_user_turns + 1):
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
            await self._keep(number + 1, turn, user, agent)
        return self._end("turn_limit", "max_user_turns")

    async def _keep(self, number: int, turn: UserTurn, user: UserSimulator, agent: Agent) -> None:
        self.checkpoint = Checkpoint(
            spec_hash=self.spec_hash,
            number=number,
            turn=turn,
            user={**user.state(), "messages": list(user.messages)},
            messages=list(agent.messages),
            calls=list(agent.calls),
            elisions=list(agent.elisions),
            subgoal_turns={key: list(turns) for key, turns in self.dialogue.subgoal_turns.items()},
            llm_calls=list(self.ledger.calls),
            elapsed_s=time.monotonic() - agent.started,
        )
        if self.keep is not None:
            await self.keep(self.checkpoint)

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
