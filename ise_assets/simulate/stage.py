"""Stage S for one domain: every kept intent gets its sessions, many at once; nothing finished is lost or done twice.

Finished sessions go to the journal as they end and from there into the warehouse: about once a minute, at the end, and
at the start (what a killed run left). Sessions with paid models are also written down each time the user has taken a turn, and
go on from there. One session's trouble ends that session; a dead endpoint or a refused key ends the run.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ise_assets.execute.models import BackendUnavailable
from ise_assets.execute.workspace import Backend, Limits, open_backend
from ise_assets.intent.catalog import tasks_by_hash
from ise_assets.intent.models import Intent, Persona, Task, content_hash
from ise_assets.intent.pool import load_intents
from ise_assets.journal import Journal
from ise_assets.llm import (
    BudgetSpent,
    Gate,
    Ledger,
    ModelError,
    ModelUnavailable,
    check_models,
    close_clients,
)
from ise_assets.response_cache import ResponseCache
from ise_assets.settings import SCRIPTED_PROVIDER, Settings
from ise_assets.simulate.checkpoint import Checkpoint
from ise_assets.simulate.command import check_command, name_of
from ise_assets.simulate.models import Dialogue, dialogue_id, transcript_markdown
from ise_assets.simulate.scripted import provider
from ise_assets.simulate.session import Room, Scripts, run_session
from ise_assets.stage import OUT_OF_MONEY, OUT_OF_TIME, StageRun
from ise_assets.warehouse import Replacement, Warehouse, sql

T = TypeVar("T")
STAGE_VERSION = 1
"""Raised by hand when sessions made from the same inputs would differ in kind."""

FOLD_EVERY_S = 60.0
FOLD_BATCH = 32
"""Sessions of one transaction: what is in memory while they go from the journal to the warehouse."""
_CHECKPOINT = "checkpoint "
OUTAGE_LIMIT = 8
"""Sessions in a row without an answering endpoint, after which the run stops."""

_LOG = logging.getLogger(__name__)


class SimulationStopped(RuntimeError):
    """The run could not go on; what was finished is kept, and the next run goes on from there."""


@dataclass(frozen=True)
class Job:
    """One session to run: `attempts` is how often it was tried before."""

    intent_id: str
    rollout_index: int
    spec_hash: str
    attempts: int = 0


def simulate_domain(run: StageRun, domain: str, scripts: Scripts | None = None) -> dict[str, Any]:
    """Run the sessions that `domain` still lacks, and tell how all of its sessions went.

    Args:
        run: where to read and write; its settings name the models and the limits.
        domain: the partition.
        scripts: makes the scripts of scripted models; the scripted teacher's own by default.

    Returns:
        Counts and means over the domain's sessions, what remains to be done, and one session to read.

    Raises:
        SettingsError: a model cannot be called.
        BackendUnavailable: no workspaces on this machine.
        SimulationStopped: the endpoint stayed away or refused the key; finished sessions are kept.
    """
    settings = run.settings
    check_models(settings)
    check_command(settings)
    with Journal(settings.journals_dir / "simulated_dialogues" / f"{domain}.sqlite") as journal:
        fold(run.warehouse, journal)
        jobs, stale = session_work(run, domain)
        partition = _partition(run, domain, journal, jobs, scripts) if jobs else None
        if partition is not None:
            try:
                asyncio.run(partition.work())
            finally:
                fold(run.warehouse, journal)
    return {
        **summarize(run.warehouse, domain),
        "new_sessions": partition.done if partition else 0,
        "resumed_sessions": partition.resumed if partition else 0,
        "cost_usd_of_run": partition.gate.spent_usd if partition else 0.0,
        "stopped_by": partition.stopped_by if partition else None,
        "remaining": len(session_work(run, domain)[0]),
        "stale": 0 if run.refresh else stale,
    }


def session_work(run: StageRun, domain: str) -> tuple[list[Job], int]:
    """What is missing or may be tried again (with `run.refresh` also what is stale), and how many are stale."""
    settings = run.settings
    rows = run.warehouse.rows(sql("simulate/select_session_work"), {"domain": domain, "rollouts": settings.rollouts})
    jobs: list[Job] = []
    stale = 0
    enough = settings.rollouts_accepted
    cast = settings.user_model, settings.agent_model, name_of(settings)
    for row in rows:
        if row["unverified"] and settings.plays_scripts:
            continue  # the scripted teacher has no script for what others asked
        if row["status"] is None and enough and row["accepted"] >= enough:
            continue
        spec_hash = content_hash(*made_of(row["intent_spec_hash"], *cast))
        outdated = row["status"] is not None and row["spec_hash"] != spec_hash
        stale += outdated
        retried = row["status"] == "error" and row["attempts"] < settings.max_attempts
        if row["status"] is None or (outdated and run.refresh):
            jobs.append(Job(row["intent_id"], row["rollout_index"], spec_hash))
        elif retried:
            jobs.append(Job(row["intent_id"], row["rollout_index"], spec_hash, row["attempts"]))
    return jobs, stale


def made_of(intent_spec: str, user_model: str, agent_model: str, agent_command: str | None) -> tuple[Any, ...]:
    """What a session is made from; its `spec_hash` is the hash of it."""
    command = (agent_command,) if agent_command else ()
    return ("simulate", STAGE_VERSION, intent_spec, user_model, agent_model, *command)


def fold(warehouse: Warehouse, journal: Journal) -> int:
    """Move what the journal holds into the warehouse, a batch in each transaction; returns the number of sessions.

    A kill between the commit and the forgetting only means that the same rows are replaced by themselves next time.
    """
    count = 0
    while batch := journal.batch(FOLD_BATCH):
        put_sessions(warehouse, [body for _, body in batch])
        journal.forget_versions(version for version, _ in batch)
        count += len(batch)
    return count


def put_sessions(warehouse: Warehouse, bodies: Sequence[Mapping[str, Any]]) -> None:
    """Sessions with their model calls, as the journal holds them, into the warehouse in one transaction."""
    if not bodies:
        return
    rows: dict[str, list[dict[str, Any]]] = {"simulated_dialogues": [], "llm_calls": []}
    for body in bodies:
        rows["simulated_dialogues"].append(_timed(body["dialogue"]))
        rows["llm_calls"].extend(_timed(call) for call in body["llm_calls"])
    warehouse.replace(*(Replacement.of(table, incoming, ["id"]) for table, incoming in rows.items()))


def summarize(warehouse: Warehouse, domain: str) -> dict[str, Any]:
    """Counts and means over all sessions of `domain`, and one of them as markdown."""
    (row,) = warehouse.rows(sql("simulate/summarize_dialogues"), {"domain": domain})
    sample = warehouse.scalar(sql("simulate/select_sample_session"), {"domain": domain})
    return {
        **row,
        "statuses": dict(row["statuses"]),
        "pass_rate_by_scenario": {
            found["task"]: [round(found["pass_rate"], 3), found["sessions"]]
            for found in warehouse.rows(sql("simulate/pass_rates_of_scenarios"), {"domain": domain})
        },
        "intents_by_pass_rate": {
            str(found["pass_rate"]): found["intents"]
            for found in warehouse.rows(sql("simulate/pass_rates_of_intents"), {"domain": domain})
        },
        "sample_session": transcript_markdown(json.loads(sample)) if sample else "",
    }


def load_personas(warehouse: Warehouse, ids: Iterable[str]) -> dict[str, Persona]:
    """Personas by id.

    Raises:
        SimulationStopped: one that an intent names is not in the pool.
    """
    wanted = sorted(set(ids))
    rows = warehouse.rows(sql("simulate/select_personas"), {"ids": wanted})
    found = {row["id"]: Persona.model_validate(row) for row in rows}
    if missing := set(wanted) - set(found):
        raise SimulationStopped(f"persona_pool lacks {', '.join(sorted(missing))}; materialize persona_pool")
    return found


def _partition(run: StageRun, domain: str, journal: Journal, jobs: list[Job], scripts: Scripts | None) -> _Partition:
    intents = {intent.id: intent for intent in load_intents(run.warehouse, ids=sorted({job.intent_id for job in jobs}))}
    if any(model.startswith(f"{SCRIPTED_PROVIDER}/") for model in run.settings.models.values()):
        provider.register()
    return _Partition(
        run=run,
        domain=domain,
        journal=journal,
        jobs=jobs,
        intents=intents,
        personas=load_personas(run.warehouse, (intent.persona_id for intent in intents.values())),
        tasks=tasks_by_hash(
            run.warehouse, (hash_ for intent in intents.values() for hash_ in intent.scenario_hashes.values())
        ),
        backend=open_backend(run.settings.workspace_backend),
        limits=Limits.of(run.settings),
        scripts=scripts,
        accepted_before={
            row["intent_id"]: row["accepted"]
            for row in run.warehouse.rows(sql("simulate/count_accepted"), {"domain": domain})
        },
    )


@dataclass
class _Partition:
    """The sessions of one run, a few at a time."""

    run: StageRun
    domain: str
    journal: Journal
    jobs: list[Job]
    intents: dict[str, Intent]
    personas: dict[str, Persona]
    tasks: dict[str, Task]
    backend: Backend
    limits: Limits
    scripts: Scripts | None
    accepted_before: Mapping[str, int]
    done: int = 0
    resumed: int = 0
    stopped_by: str | None = None
    _unanswered: list[tuple[Job, dict[str, Any]]] = field(default_factory=list)
    _interrupt: BaseException | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        cache = ResponseCache(Path(settings.response_cache)) if settings.response_cache else None
        self.gate = Gate(settings.max_concurrent_model_calls, settings.max_cost_usd, cache)
        self._room = Room.of(self.settings)
        self._threads = ThreadPoolExecutor(2)
        self._accepted_now = 0
        self._waiting = deque(self.jobs)
        self._accepted = Counter(self.accepted_before)
        self._in_flight: Counter[str] = Counter()
        self._ended = asyncio.Event()

    @property
    def settings(self) -> Settings:
        """The run's settings."""
        return self.run.settings

    async def work(self) -> None:
        """Run the jobs until none is left, the time budget is used up, or nobody answers any more."""
        self._journal_lock = asyncio.Lock()
        minutes = self.settings.max_minutes_per_run
        self._deadline = time.monotonic() + minutes * 60 if minutes else float("inf")
        self._watch_for_interrupts(asyncio.get_running_loop(), asyncio.current_task())
        self.run.progress(0, len(self.jobs), "sessions")
        count = min(self.settings.max_concurrent_sessions, len(self.jobs))
        workers = [asyncio.create_task(self._worker()) for _ in range(count)]
        everyone: asyncio.Future[Any] = asyncio.gather(*workers)
        folding: asyncio.Future[Any] = asyncio.create_task(self._fold_regularly())
        try:
            await asyncio.wait([everyone, folding], return_when=asyncio.FIRST_COMPLETED)
            await (everyone if everyone.done() else folding)  # folding only ends by failing
        except asyncio.CancelledError:
            if self._interrupt is not None:
                raise self._interrupt from None
            raise
        finally:
            for task in (*workers, folding):
                task.cancel()
            await asyncio.gather(*workers, everyone, folding, return_exceptions=True)  # workspaces go down here
            self._threads.shutdown()
            if self.gate.cache is not None:
                self.gate.cache.close()
            await close_clients()

    def _watch_for_interrupts(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any] | None) -> None:
        # A signal handler that raises while the loop runs a plain callback would be logged and forgotten.
        def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception")
            if error is None or isinstance(error, (Exception, asyncio.CancelledError)):
                return loop.default_exception_handler(context)
            self._interrupt = error
            if task is not None:
                task.cancel()

        loop.set_exception_handler(handle)

    async def _worker(self) -> None:
        while self.stopped_by is None:
            if time.monotonic() >= self._deadline and self._waiting:
                self.stopped_by = OUT_OF_TIME
                return
            job = await self._next()
            if job is None:
                return
            self._in_flight[job.intent_id] += 1
            try:
                await self._session(job)
            finally:
                self._in_flight[job.intent_id] -= 1
                ended, self._ended = self._ended, asyncio.Event()
                ended.set()

    async def _next(self) -> Job | None:
        """A job to do; with `rollouts_accepted` one whose intent may still need it, whatever comes of its sessions in flight."""
        enough = self.settings.rollouts_accepted
        while True:
            for _ in range(len(self._waiting)):
                job = self._waiting.popleft()
                accepted = self._accepted[job.intent_id]
                if not enough or accepted + self._in_flight[job.intent_id] < enough:
                    return job
                if accepted < enough:
                    self._waiting.append(job)
            if not self._waiting:
                return None
            await self._ended.wait()

    async def _session(self, job: Job) -> None:
        intent = self.intents[job.intent_id]
        ledger = Ledger(self.gate)
        identity = dialogue_id(job.intent_id, job.rollout_index)
        checkpoint = await self._checkpoint(identity, job)
        self.resumed += checkpoint is not None
        try:
            dialogue = await run_session(
                intent,
                self.personas[intent.persona_id],
                self.tasks,
                self.backend,
                self.limits,
                self.settings,
                ledger,
                job.rollout_index,
                scripts=self.scripts,
                spec_hash=job.spec_hash,
                checkpoint=checkpoint,
                keep=partial(self._keep_checkpoint, identity) if self.settings.uses_paid_models else None,
                room=self._room,
            )
        except BackendUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  (one session's trouble, whatever it is, stays its own)
            _LOG.exception("session of intent %s failed", intent.id)
            dialogue = self._failed(job, error)
        if isinstance(dialogue.failure, BudgetSpent):  # it goes on from its last checkpoint, in another run
            self.stopped_by = OUT_OF_MONEY
            return
        dialogue.attempts += job.attempts
        self._accepted[job.intent_id] += bool(dialogue.accepted_live)
        body = self._body(job, dialogue, ledger)
        await self._keep(dialogue.id, body, resumable=dialogue.failure is not None)
        self.done += 1
        self._accepted_now += bool(dialogue.accepted_live)
        self.run.progress(self.done, len(self.jobs), self._so_far())
        await self._watch_endpoint(job, dialogue, body)

    def _so_far(self) -> str:
        cost = f", ${self.gate.spent_usd:,.2f}" if self.gate.spent_usd else ""
        return f"sessions ({self._accepted_now} accepted{cost})"

    def _failed(self, job: Job, error: Exception) -> Dialogue:
        return Dialogue(
            id=dialogue_id(job.intent_id, job.rollout_index),
            intent_id=job.intent_id,
            rollout_index=job.rollout_index,
            user_model=self.settings.user_model,
            agent_model=self.settings.agent_model,
            agent_command=name_of(self.settings),
            tools=[],
            backend=self.backend.name,
            stop_reason=f"internal: {type(error).__name__}: {error}"[:2_000],
        )

    def _body(self, job: Job, dialogue: Dialogue, ledger: Ledger) -> dict[str, Any]:
        place: dict[str, Any] = {"domain": self.domain, "run_id": self.run.run_id, "spec_hash": job.spec_hash}
        return {
            "dialogue": _journaled(dialogue.row(**place, written_at=datetime.now(UTC))),
            "llm_calls": [_journaled(row) for row in ledger.rows(**place)],
        }

    async def _keep(self, item_id: str, body: dict[str, Any], resumable: bool) -> None:
        """Write down a session that ended; with what there is to go on from, if it may be tried again from there."""
        over = None if resumable else _CHECKPOINT + item_id
        async with self._journal_lock:
            await self._aside(partial(self.journal.append, item_id, body, instead_of=over))

    async def _keep_checkpoint(self, item_id: str, checkpoint: Checkpoint) -> None:
        async with self._journal_lock:
            await self._aside(partial(self.journal.append, _CHECKPOINT + item_id, checkpoint.body(), kind="checkpoint"))

    async def _aside(self, work: Callable[[], T]) -> T:
        """Blocking work beside the sessions, in one of two threads: each thread that DuckDB has worked in keeps memory of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _checkpoint(self, item_id: str, job: Job) -> Checkpoint | None:
        async with self._journal_lock:
            body = await self._aside(partial(self.journal.get, _CHECKPOINT + item_id))
        return Checkpoint.of(body) if body is not None and body["spec_hash"] == job.spec_hash else None

    async def _watch_endpoint(self, job: Job, dialogue: Dialogue, body: dict[str, Any]) -> None:
        """Stop a run that nobody answers; the sessions that only met the outage get their try back."""
        failure = dialogue.failure
        refused = isinstance(failure, ModelError) and failure.kind in ("auth", "not_found")
        if not refused and not isinstance(failure, ModelUnavailable):
            self._unanswered.clear()
            return
        self._unanswered.append((job, body))
        if not refused and len(self._unanswered) < OUTAGE_LIMIT:
            return
        for tried, kept in self._unanswered:
            kept["dialogue"]["attempts"] = tried.attempts
            await self._keep(kept["dialogue"]["id"], kept, resumable=True)
        count = len(self._unanswered)
        raise SimulationStopped(
            f"{self.domain}: stopped after {count} session{'s' if count > 1 else ''} in a row without an answer from "
            f"the model: {failure} Finished sessions are kept; run again to go on."
        ) from failure

    async def _fold_regularly(self) -> None:
        """What `fold` does, about once a minute; sessions need the journal meanwhile, so it is theirs while the warehouse is written."""
        while True:
            await asyncio.sleep(FOLD_EVERY_S)
            more = True
            while more:
                async with self._journal_lock:
                    batch = await self._aside(partial(self.journal.batch, FOLD_BATCH))
                more = len(batch) == FOLD_BATCH
                await self._aside(partial(put_sessions, self.run.warehouse, [body for _, body in batch]))
                async with self._journal_lock:
                    await self._aside(partial(self.journal.forget_versions, [version for version, _ in batch]))
            await self._aside(_give_back_memory)


def _give_back_memory() -> None:
    """Freed memory that glibc keeps goes back to the system: pieces of every batch, 0.15 MB a session measured. Elsewhere nothing is done."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _journaled(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "written_at": row["written_at"].isoformat()}


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "written_at": datetime.fromisoformat(row["written_at"])}
