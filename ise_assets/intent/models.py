"""What crosses the borders of the intent stage: personas, scenarios (tasks), intents.

Scenarios are written by people, persona lists come from anywhere: both are validated here, and an error says what was
expected, what came and where.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

DOMAINS: tuple[str, ...] = (
    "intelligence-core",
    "code-runtime",
    "file-io",
    "source-chain",
    "automation-flow",
    "web-extraction",
    "comms-social",
    "multimedia",
    "agent-memory",
    "system-infrastructure",
)
"""The ten domains of ISE, which are also the partitions."""

Tier = Literal["simple", "medium", "complex"]
TIERS: tuple[Tier, ...] = ("simple", "medium", "complex")
Register = Literal["terse", "plain", "chatty", "formal"]
REGISTERS: tuple[Register, ...] = ("terse", "plain", "chatty", "formal")

ToolName = Literal[
    "exec", "process", "read", "write", "edit", "memory_search", "memory_get", "web_fetch", "web_search", "message_send"
]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
NonEmpty = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def _not_a_method(name: str) -> str:
    """A template would find the method of the mapping instead of the value: `got.items`, `kind.clear`."""
    if name in _METHODS:
        raise ValueError(f"{name!r} is a method of the mapping that templates look names up in; call it something else")
    return name


_METHODS = frozenset(dir(dict))
Capture = Annotated[Name, AfterValidator(_not_a_method)]


def content_hash(*parts: Any) -> str:
    """First 16 hex digits of the SHA-256 of `parts` as canonical JSON: short, stable, and never a Python `hash`."""
    body = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(body.encode()).hexdigest()[:16]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Persona(BaseModel):
    """One invented person. The id is the hash of the content, so the same person in two lists is one persona."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    name: NonEmpty
    role: NonEmpty
    industry: NonEmpty
    expertise: tuple[NonEmpty, ...] = Field(min_length=1)
    experience_level: NonEmpty
    communication_style: NonEmpty
    work_context: NonEmpty
    persona_list: str = ""

    @model_validator(mode="before")
    @classmethod
    def _identify(cls, data: Any) -> Any:
        if isinstance(data, dict):
            content = {key: data.get(key) for key in PERSONA_FIELDS}
            content["expertise"] = list(content["expertise"] or [])
            data = {**data, "id": content_hash("persona", content)}
        return data


PERSONA_FIELDS: tuple[str, ...] = (
    "name",
    "role",
    "industry",
    "expertise",
    "experience_level",
    "communication_style",
    "work_context",
)
"""The fields a persona list must give; their content is the persona's identity."""


# ---- scenarios: parameters ----


class Param(_Strict):
    """How one parameter is drawn from the scenario's seeded RNG. Exactly one key is given.

    `choice`: one of a list. `sample`: k distinct items of a list, in random order. `int`: inclusive range.
    `float`: range, rounded to 2 digits. `text`: no draw, a template over the parameters drawn so far.
    Bounds may be templates over earlier parameters. `choice` items may be mappings; templates reach their keys.
    """

    choice: list[Any] | None = None
    sample: Sample | None = None
    int_: tuple[int | str, int | str] | None = Field(default=None, alias="int")
    float_: tuple[float | str, float | str] | None = Field(default=None, alias="float")
    text: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Param:
        given = [k for k in ("choice", "sample", "int_", "float_", "text") if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of choice, sample, int, float, text")
        for item in [*(self.choice or ()), *(self.sample.of if self.sample else ())]:
            for key in item if isinstance(item, Mapping) else ():
                _not_a_method(str(key))
        return self


class Sample(_Strict):
    """`k` distinct items of `of`, in random order."""

    of: list[Any] = Field(min_length=1)
    k: int | str


# ---- scenarios: the seed ----


class SeedFile(_Strict):
    """A text file put into the workspace. `path` is absolute after rendering; parents are made."""

    path: str
    content: str
    mode: Annotated[str, StringConstraints(pattern=r"^0?[0-7]{3}$")] = "0644"


class SeedService(_Strict):
    """A server started in the background after the seed, in every workspace of the intent.

    `command` must stay in the foreground of its own process. `ready_port` is polled until it accepts, at most 10 s.
    """

    name: Name
    command: str
    ready_port: int | str


class SeedStep(_Strict):
    """One step of the seed: a `file`, a `script` beside the YAML, a shell command to `run`, or a `service`.

    A script is Python; it gets the parameters as JSON in the environment variable `PARAMS` (with `root`, `home`,
    `ports`, `seed` among them), runs in `root`, and may print one JSON object: the *truths*, which only the acceptance
    checks see as `{{ truth.name }}`.
    """

    file: SeedFile | None = None
    script: str | None = None
    run: str | None = None
    service: SeedService | None = None

    @model_validator(mode="after")
    def _one(self) -> SeedStep:
        if sum(v is not None for v in (self.file, self.script, self.run, self.service)) != 1:
            raise ValueError("give exactly one of file, script, run, service")
        return self


# ---- scenarios: what the user wants ----


class Fact(_Strict):
    """Something the user knows. `says` is how they would tell it when asked; the value alone if it is left out."""

    value: str
    says: str | None = None


class Subgoal(_Strict):
    """One thing the user wants, a turn or more.

    `says` gives, per register, one or several ways to ask for it. `plain` is required; a missing register falls back to
    it. `withholds` names facts that the user does not volunteer here, only answers when asked.
    """

    id: Name
    wants: NonEmpty
    says: dict[Register, list[NonEmpty]]
    withholds: tuple[Name, ...] = ()
    needs: tuple[Name, ...] = ()

    @field_validator("says", mode="before")
    @classmethod
    def _as_lists(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"plain": [value]}
        if isinstance(value, dict):
            return {k: [v] if isinstance(v, str) else v for k, v in value.items()}
        return value

    @model_validator(mode="after")
    def _plain(self) -> Subgoal:
        if not self.says.get("plain"):
            raise ValueError(f"subgoal {self.id!r}: `says` needs at least `plain`")
        return self


# ---- scenarios: checks on the final state ----


class FileContains(_Strict):
    """`pattern` (a Python regular expression, MULTILINE) is found in the file; with `absent: true`, it is not."""

    path: str
    pattern: str
    absent: bool = False


class FileEquals(_Strict):
    """The file's text equals `content`, trailing white space apart."""

    path: str
    content: str


class JsonAt(_Strict):
    """The value at a dotted path (`a.b.0`; empty: the whole document) `equals` a JSON value or `matches` a regex."""

    path: str
    at: str = ""
    equals: Any = None
    matches: str | None = None


class SqliteQuery(_Strict):
    """The rows that `query` returns equal `rows`, values compared as text."""

    path: str
    query: str
    rows: list[list[Any]]


class CommandCheck(_Strict):
    """`run` (bash, in `root`) exits with `exit_code`, and its stdout matches `stdout` where given."""

    run: str
    exit_code: int = 0
    stdout: str | None = None


class HttpCheck(_Strict):
    """A GET of a workspace-loopback URL answers `status`, and its body matches `contains` where given."""

    url: str
    status: int = 200
    contains: str | None = None


class ReplyCheck(_Strict):
    """The agent's words in that subgoal's turns match every pattern of `mentions` (case-insensitive regex)."""

    subgoal: Name
    mentions: list[str] = Field(min_length=1)

    @field_validator("mentions", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Check(_Strict):
    """One check on the final state; exactly one kind is given.

    `script` is a Python file beside the YAML, run like a seed script with `PARAMS` and `TRUTH` (JSON) in its
    environment: exit 0 means it holds, anything it prints is the evidence. `unchanged` is a glob (`**` allowed) whose
    files (names, modes, contents) are as they were on the fresh seed.
    """

    name: str | None = None
    file_exists: str | None = None
    file_absent: str | None = None
    file_contains: FileContains | None = None
    file_equals: FileEquals | None = None
    json_at: JsonAt | None = None
    sqlite: SqliteQuery | None = None
    command: CommandCheck | None = None
    http: HttpCheck | None = None
    unchanged: str | None = None
    reply: ReplyCheck | None = None
    script: str | None = None

    @property
    def kind(self) -> str:
        """The one kind that is given."""
        return next(k for k in CHECK_KINDS if getattr(self, k) is not None)

    @model_validator(mode="after")
    def _one(self) -> Check:
        given = [k for k in CHECK_KINDS if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(CHECK_KINDS)}; got {given or 'none'}")
        return self


CHECK_KINDS = (
    "file_exists",
    "file_absent",
    "file_contains",
    "file_equals",
    "json_at",
    "sqlite",
    "command",
    "http",
    "unchanged",
    "reply",
    "script",
)


class Guard(_Strict):
    """A check that must hold before *and* after. `violation` is a shell command that must break it."""

    check: Check
    violation: NonEmpty


# ---- scenarios: how a good agent gets there ----


class WriteArgs(_Strict):
    path: str
    content: str


class EditArgs(_Strict):
    path: str
    old: str
    new: str


class ReadArgs(_Strict):
    path: str
    offset: int | None = None
    limit: int | None = None


class ProcessArgs(_Strict):
    action: Literal["list", "poll", "log", "write", "kill"]
    id: str | None = None
    data: str | None = None


class MessageArgs(_Strict):
    to: str
    text: str
    subject: str | None = None


class Ask(_Strict):
    """The agent ends its turn with `question`; the user answers with the fact named."""

    question: NonEmpty
    fact: Name


class Step(_Strict):
    """One step of a solution: a tool call, a question to the user (`ask`), or the closing words of a subgoal (`say`).

    `note` is what the agent says beside the call. `reads` captures named values from the call's result: the first group
    of a MULTILINE regex, available later as `{{ got.name }}`. `exit_code` is what the call really exits with (0 unless
    said; a grep that finds nothing says 1).
    """

    exec: str | None = None
    timeout: int | None = None
    background: bool = False
    workdir: str | None = None
    read: ReadArgs | None = None
    write: WriteArgs | None = None
    edit: EditArgs | None = None
    process: ProcessArgs | None = None
    memory_search: str | None = None
    memory_get: str | None = None
    web_fetch: str | None = None
    web_search: str | None = None
    message_send: MessageArgs | None = None
    ask: Ask | None = None
    say: str | None = None
    note: str | list[str] | None = None
    reads: dict[Capture, str] = Field(default_factory=dict)
    exit_code: int = 0

    @field_validator("read", mode="before")
    @classmethod
    def _path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @property
    def kind(self) -> str:
        """The one kind that is given: a tool's name, `ask` or `say`."""
        return next(k for k in STEP_KINDS if getattr(self, k) is not None)

    @model_validator(mode="after")
    def _one(self) -> Step:
        given = [k for k in STEP_KINDS if getattr(self, k) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(STEP_KINDS)}; got {given or 'none'}")
        return self


STEP_KINDS: tuple[str, ...] = (*get_args(ToolName), "ask", "say")


class FailsWith(_Strict):
    """How a slip really fails: the exit code (exec) or the outcome, and a regex found in the result."""

    exit_code: int | None = None
    output: str | None = None


class Slip(_Strict):
    """A plausible wrong try before solution step number `before` of subgoal `at`, and the real way back.

    The slip's step is called first and fails as `fails_with` says; the `recovery` steps follow; then the solution goes
    on at step `before + replaces` (the recovery has done the work of `replaces` solution steps).
    """

    at: Name
    before: int = 0
    step: Step
    fails_with: FailsWith
    recovery: list[Step] = Field(min_length=1)
    replaces: int = 0


class WrongWay(_Strict):
    """A plausible wrong ending: run instead of (or after) the solution, it must not be accepted.

    `after` says which it is: `nothing` (on the fresh seed) or `solution`. `rejected_by` names the check that must fail.
    """

    why: NonEmpty
    after: Literal["nothing", "solution"] = "nothing"
    steps: list[Step] = Field(min_length=1)


class Task(_Strict):
    """A scenario: a seeded corner of a workspace, what a user wants there, and how one tells that it was done.

    Strings are Jinja templates over: the parameters by name, the facts by name, `root` (this scenario's own directory,
    absolute), `home`, `user`, `ports.NAME`; in acceptance and guards also `truth.NAME`; in solutions also `got.NAME`.
    """

    name: Slug
    domain: str
    title: NonEmpty
    description: NonEmpty
    aim: list[NonEmpty] = Field(min_length=1)
    tiers: tuple[Tier, ...] = TIERS
    tools: tuple[ToolName, ...] = Field(min_length=1)
    params: dict[Name, Param] = Field(default_factory=dict)
    root: NonEmpty
    ports: tuple[Name, ...] = ()
    seed: list[SeedStep] = Field(min_length=1)
    facts: dict[Name, Fact] = Field(default_factory=dict)
    subgoals: list[Subgoal] = Field(min_length=1, max_length=3)
    acceptance: list[Check] = Field(min_length=1)
    guards: list[Guard] = Field(default_factory=list)
    solution: dict[Name, list[Step]]
    other_ways: list[dict[Name, list[Step]]] = Field(min_length=1)
    wrong_ways: list[WrongWay] = Field(min_length=2)
    slips: list[Slip] = Field(min_length=1)
    verify: list[Step] = Field(min_length=1)
    requires: tuple[str, ...] = ("python3",)
    claims: tuple[Slug, ...] = ()
    impossible: bool = False
    scripts: dict[str, str] = Field(default_factory=dict, description="name -> source, read from beside the YAML")

    @field_validator("facts", mode="before")
    @classmethod
    def _facts(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v if isinstance(v, dict) else {"value": str(v)} for k, v in value.items()}
        return value

    @field_validator("aim", mode="before")
    @classmethod
    def _aims(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _coherent(self) -> Task:
        if self.domain not in DOMAINS:
            raise ValueError(f"domain {self.domain!r} is not one of {', '.join(DOMAINS)}")
        ids = [s.id for s in self.subgoals]
        if len(set(ids)) != len(ids):
            raise ValueError("two subgoals have the same id")
        for where, ways in (("solution", [self.solution]), ("other_ways", self.other_ways)):
            for way in ways:
                if unknown := set(way) - set(ids):
                    raise ValueError(f"{where}: no such subgoal: {', '.join(sorted(unknown))}")
        for sid in ids:
            steps = self.solution.get(sid)
            if not steps or steps[-1].say is None:
                raise ValueError(f"solution.{sid} must end with `say`: what the agent tells the user")
        for slip in self.slips:
            if slip.at not in ids or slip.before + slip.replaces >= len(self.solution[slip.at]):
                raise ValueError(f"slip at {slip.at}[{slip.before}] points past the solution")
        named = {step.script for step in self.seed if step.script} | {
            check.script for check in [*self.acceptance, *(g.check for g in self.guards)] if check.script
        }
        if missing := named - set(self.scripts):
            raise ValueError(f"script not found beside the YAML: {', '.join(sorted(missing))}")
        return self

    @cached_property
    def tools_needed(self) -> tuple[ToolName, ...]:
        """The tools that the scenario's own ways, slips and verification call, besides those it names."""
        steps = [step for way in (self.solution, *self.other_ways) for steps in way.values() for step in steps]
        steps += [step for slip in self.slips for step in (slip.step, *slip.recovery)] + self.verify
        called = {*self.tools, *(step.kind for step in steps)}
        return tuple(name for name in get_args(ToolName) if name in called)

    @cached_property
    def acceptance_specs(self) -> tuple[dict[str, Any], ...]:
        """The checks, then the guards' checks, as JSON objects, not rendered; not to be changed."""
        checks = [*self.acceptance, *(guard.check for guard in self.guards)]
        return tuple(check.model_dump(mode="json", exclude_none=True) for check in checks)

    @cached_property
    def content_hash(self) -> str:
        """Identity of this version of the scenario."""
        return content_hash("task", self.model_dump(mode="json", by_alias=True))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, but what was computed of this version is computed anew: another version has another identity."""
        copy = super().model_copy(update=update, deep=deep)
        for computed in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[computed]
        return copy


# ---- intents ----


class TaskInstance(BaseModel):
    """One scenario of an intent with its parameters drawn, its corner of the home directory and its ports."""

    model_config = ConfigDict(frozen=True)

    task: str
    scenario_hash: str
    params: dict[str, Any]
    root: str
    ports: dict[str, int]


class Intent(BaseModel):
    """What one persona wants of an agent, with the world it refers to and the checks that tell whether it was done.

    `seed` holds the task instances; `subgoals` (rendered, in order, each with its `task`) is what the user knows;
    `acceptance` (rendered but for truths) what is checked. The scenarios themselves are kept by hash in `task_catalog`.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    persona_id: str
    persona_list: str
    domain: str
    domains: tuple[str, ...]
    tasks: tuple[str, ...]
    complexity: Tier
    utterance: str
    seed: tuple[TaskInstance, ...]
    subgoals: tuple[dict[str, Any], ...]
    acceptance: tuple[dict[str, Any], ...]
    scenario_hashes: dict[str, str]
    writer_model: str
    spec_hash: str
