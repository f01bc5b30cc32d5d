"""From verified sessions to `sft_split`: which sessions, in which split, what is trained on, and where each came from.

Selection and splitting are pure functions; `build_split` is the stage: it brings one domain's rows up to date in one
transaction and then writes the export files of all domains. A row whose inputs have not changed is left as it is, run
id and all, so that running again changes no byte of an export.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Literal

from pydantic import TypeAdapter

from ise_assets import __version__
from ise_assets.intent.models import content_hash
from ise_assets.intent.sampler import intent_id
from ise_assets.settings import Settings
from ise_assets.stage import StageRun
from ise_assets.train.export import exports_locked, write_exports
from ise_assets.train.models import SPLITS, SFTExample, Split
from ise_assets.train.scrub import environment_secrets, leaked
from ise_assets.train.tokens import TOKENIZER, count_tokens
from ise_assets.warehouse import replace_rows, rows_to_arrow, sql

STAGE_VERSION = 1
SCRIPTED_LICENCE = "mit"
MODEL_LICENCE = "other"
_BUCKETS = 10_000
_PAGE = 100
_SEEDS_TRIED = 256
_OBJECTS = TypeAdapter(list[dict[str, Any]])


@dataclass
class Selection:
    """What a policy let through, and how many it did not, by reason."""

    kept: list[dict[str, Any]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def split_of(persona_id: str, percent: Sequence[int]) -> Split:
    """The split of all of a persona's records: a function of the id alone, so adding data never moves a record.

    Args:
        persona_id: content hash of the persona.
        percent: percent of personas in train, validation, test; they sum to 100.
    """
    if sum(percent) != 100:
        raise ValueError(f"percentages of a split must sum to 100, got {tuple(percent)}")
    bucket = int(content_hash("split", persona_id), 16) % _BUCKETS
    bounds = [bound * _BUCKETS // 100 for bound in accumulate(percent)]
    return next(split for split, bound in zip(SPLITS, bounds, strict=True) if bucket < bound)


def train_mask(messages: Sequence[dict[str, Any]]) -> list[Literal[0, 1]]:
    """1 for each assistant message, 0 for what the others said."""
    return [1 if message.get("role") == "assistant" else 0 for message in messages]


def select(candidates: Iterable[dict[str, Any]]) -> Selection:
    """The default policy: completed, known, replayed, reproduced, accepted; the first reason against counts."""
    selection = Selection()
    for candidate in candidates:
        if reason := _reason_against(candidate):
            selection.dropped[reason] += 1
        else:
            selection.kept.append(candidate)
    return selection


def build_split(run: StageRun, domain: str) -> dict[str, Any]:
    """Bring the domain's rows of `sft_split` up to date and write the exports of all domains.

    Returns:
        records, train, validation, test, dropped (reason -> n), personas, tokens_total, tokens_mean, written (rows new
        or changed), exported (records of all domains), export_dir; where they apply, secret_variables (names, never
        values) and malformed_example.
    """
    with exports_locked(run.settings.exports_dir) as folder:
        selection = select(run.warehouse.rows(sql("train/select_candidates"), {"domain": domain}))
        built = _Built({row["id"]: row for row in run.warehouse.rows(sql("train/select_existing"), {"domain": domain})})
        for done, candidate in enumerate(_with_bodies(run, selection.kept), start=1):
            built.take(run, domain, candidate, selection.dropped)
            run.progress(done, len(selection.kept), "records")
        _store(run, domain, built)
        exported = write_exports(run.warehouse, folder)
    return {**built.summary(), "dropped": dict(sorted(selection.dropped.items())), "exported": exported} | {
        "export_dir": str(folder)
    }


class _Built:
    """The domain's records as they come about: which stay, which are written, and the figures of both."""

    def __init__(self, existing: dict[str, dict[str, Any]]) -> None:
        self.existing = existing
        self.secrets = environment_secrets()
        self.ids: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.personas: set[str] = set()
        self.splits: Counter[str] = Counter()
        self.tokens = 0
        self.leaking: set[str] = set()
        self.malformed_example = ""

    def take(self, run: StageRun, domain: str, candidate: dict[str, Any], dropped: Counter[str]) -> None:
        """Make a record of a selected session, or count why it cannot be one."""
        try:
            example = _example(run, domain, candidate)
        except ValueError as error:  # pydantic's are ValueErrors
            dropped["malformed"] += 1
            self.malformed_example = self.malformed_example or f"{candidate['dialogue_id']}: {error}"[:500]
            return
        if names := leaked([example.messages, example.tools, example.provenance], self.secrets):
            dropped["secret"] += 1
            self.leaking |= names
            return
        spec = _spec_hash(example, candidate)
        before = self.existing.get(example.id)
        unchanged = before is not None and before["spec_hash"] == spec
        tokens = before["tokens"] if before is not None and unchanged else count_tokens(example.messages, example.tools)
        self.ids.append(example.id)
        self.personas.add(candidate["persona_id"])
        self.splits[example.split] += 1
        self.tokens += tokens
        if not unchanged:
            self.rows.append(_row(example, candidate, tokens, run.run_id, spec))

    def summary(self) -> dict[str, Any]:
        """The flat figures of the domain."""
        figures: dict[str, Any] = {
            "records": len(self.ids),
            **{split: self.splits[split] for split in SPLITS},
            "personas": len(self.personas),
            "tokens_total": self.tokens,
            "tokens_mean": round(self.tokens / len(self.ids), 1) if self.ids else 0.0,
            "written": len(self.rows),
        }
        if self.leaking:
            figures["secret_variables"] = sorted(self.leaking)
        if self.malformed_example:
            figures["malformed_example"] = self.malformed_example
        return figures


def provenance_of(candidate: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Where a record came from, but for the run that writes it.

    `sampler_seed` and `intent_number` are given only when they are proven: the intent's id is a hash of them, and
    intents drawn under another seed than the present one have none. `scripted` is true as soon as one role was
    scripted; `scripted_roles` says which.
    """
    models = {
        "intent_writer": candidate["writer_model"],
        "user": candidate["user_model"],
        "agent": candidate["agent_model"],
    }
    scripted = sorted(role for role, model in models.items() if str(model).startswith("scripted/"))
    number = _intent_number(candidate, settings)
    return {
        "persona_id": candidate["persona_id"],
        "persona_list": candidate["persona_list"],
        "persona_list_sha256": candidate["persona_list_sha256"],
        "intent_id": candidate["intent_id"],
        "complexity": candidate["complexity"],
        "tasks": list(candidate["tasks"] or []),
        "scenario_hashes": json.loads(candidate["scenario_hashes"] or "{}"),
        "rollout_index": candidate["rollout_index"],
        "models": models,
        "scripted": bool(scripted),
        "scripted_roles": scripted,
        "sampler_seed": None if number is None else settings.seed,
        "intent_number": number,
        "declined": candidate["declined"],
        "failures": candidate["failures"],
        "recoveries": candidate["recoveries"],
        "backend": candidate["backend"],
        "ise_assets": __version__,
        "licence": SCRIPTED_LICENCE if len(scripted) == len(models) else MODEL_LICENCE,
        "runs": {
            "persona_pool": candidate["persona_run"],
            "intent_pool": candidate["intent_run"],
            "deduped_pool": candidate["dedup_run"],
            "simulated_dialogues": candidate["dialogue_run"],
            "executed_traces": candidate["trace_run"],
        },
    }


def _reason_against(candidate: dict[str, Any]) -> str | None:
    if candidate["status"] != "completed":
        return f"status_{candidate['status']}"
    for reason, holds in (
        ("unknown_intent", candidate["intent_known"]),
        ("unknown_persona", candidate["persona_known"]),
        ("not_replayed", candidate["replayed"]),
        ("not_reproduced", candidate["reproduced"]),
        ("not_accepted", candidate["accepted"]),
    ):
        if not holds:
            return reason
    return None


def _with_bodies(run: StageRun, kept: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(kept), _PAGE):
        page = kept[start : start + _PAGE]
        ids = [candidate["dialogue_id"] for candidate in page]
        bodies = {row["id"]: row for row in run.warehouse.rows(sql("train/select_bodies"), {"ids": ids})}
        for candidate in page:
            body = bodies[candidate["dialogue_id"]]
            yield {**candidate, "messages": body["messages"], "tools": body["tools"]}


def _store(run: StageRun, domain: str, built: _Built) -> None:
    def store(connection: Any) -> None:
        connection.execute(sql("train/delete_unselected"), {"domain": domain, "ids": built.ids})
        replace_rows(connection, "sft_split", rows_to_arrow(connection, "sft_split", built.rows), ["id"])

    run.warehouse.write(store)


def _example(run: StageRun, domain: str, candidate: dict[str, Any]) -> SFTExample:
    """The record, its tokens not counted yet. Raises ValueError when the session's text is not a trainable dialogue."""
    messages = _OBJECTS.validate_json(candidate["messages"] or "")
    provenance = provenance_of(candidate, run.settings)
    return SFTExample(
        id=content_hash("sft", candidate["dialogue_id"]),
        dialogue_id=candidate["dialogue_id"],
        intent_id=candidate["intent_id"],
        domain=domain,
        split=split_of(candidate["persona_id"], run.settings.split_percent),
        messages=messages,
        tools=_OBJECTS.validate_json(candidate["tools"] or ""),
        train_mask=train_mask(messages),
        tokens=0,
        tokenizer=TOKENIZER,
        provenance={**provenance, "runs": {**provenance["runs"], "sft_split": run.run_id}},
    )


def _spec_hash(example: SFTExample, candidate: dict[str, Any]) -> str:
    """Everything the row is made of, but for the run that writes it."""
    runs = {stage: run_id for stage, run_id in example.provenance["runs"].items() if stage != "sft_split"}
    return content_hash(
        STAGE_VERSION,
        example.tokenizer,
        example.split,
        {**example.provenance, "runs": runs},
        hashlib.sha256(candidate["messages"].encode()).hexdigest(),
        hashlib.sha256(candidate["tools"].encode()).hexdigest(),
    )


def _row(example: SFTExample, candidate: dict[str, Any], tokens: int, run_id: str, spec: str) -> dict[str, Any]:
    return {
        **example.model_dump(include={"id", "domain", "dialogue_id", "intent_id", "split", "tokenizer"}),
        "messages": candidate["messages"],  # the dialogue's own text: parsing and printing it again could change bytes
        "tools": candidate["tools"],
        "train_mask": json.dumps(example.train_mask),
        "tokens": tokens,
        "provenance": json.dumps(example.provenance, ensure_ascii=False, sort_keys=True),
        "run_id": run_id,
        "spec_hash": spec,
        "written_at": datetime.now(UTC),
    }


def _intent_number(candidate: dict[str, Any], settings: Settings) -> int | None:
    tried = range(max(settings.intents_per_persona, _SEEDS_TRIED))
    return next(
        (k for k in tried if intent_id(settings.seed, candidate["persona_id"], k) == candidate["intent_id"]), None
    )
