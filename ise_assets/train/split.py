"""From verified sessions to `sft_split`: bodies are scrubbed, held against benchmarks, measured, and written.

`selection` says which sessions, in which split; `build_split` is the stage: it brings one domain's rows up to date in
one transaction and then writes the export files of all domains. A row whose inputs have not changed is left as it is,
run id and all, so that running again changes no byte of an export. Rows of other domains that the selection no longer
keeps (a leak into what this domain brought) go in the same transaction.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import TypeAdapter

from ise_assets.intent.models import content_hash
from ise_assets.stage import StageRun
from ise_assets.train.decontaminate import Benchmarks, Hit, load_benchmarks, near_benchmarks, write_report
from ise_assets.train.export import exports_locked, write_exports
from ise_assets.train.models import SPLITS, SFTExample, check_messages
from ise_assets.train.provenance import SPLIT_VERSION, load_scenarios, provenance_of
from ise_assets.train.scrub import Machine, Redaction, Scrubber, leaked
from ise_assets.train.selection import Candidate, Selection, select_sessions
from ise_assets.train.tokens import count_tokens
from ise_assets.warehouse import replace_rows, rows_to_arrow, sql

_PAGE = 100
_OBJECTS = TypeAdapter(list[dict[str, Any]])


def train_mask(messages: Sequence[dict[str, Any]], untrained: Collection[int] = ()) -> list[Literal[0, 1]]:
    """1 for each assistant message whose index is not `untrained`, 0 for it and for what the others said."""
    return [
        1 if message.get("role") == "assistant" and index not in untrained else 0
        for index, message in enumerate(messages)
    ]


def untrained_messages(
    messages: Sequence[dict[str, Any]], failed: Collection[str], unlabelled: Collection[str]
) -> list[int]:
    """Assistant messages that a policy leaves out of the loss, by index.

    Args:
        failed: ids of calls not to be learned; a message is left out when all of its calls are among them.
        unlabelled: ids of calls whose error was not labelled; the message that comes next was written by a misled agent.
    """
    left_out, misled = [], False
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            misled = misled or message["tool_call_id"] in unlabelled
        elif message["role"] == "assistant":
            called = [call["id"] for call in message.get("tool_calls") or []]
            if misled or (called and all(identity in failed for identity in called)):
                left_out.append(index)
            misled = False
    return left_out


def build_split(run: StageRun, domain: str) -> dict[str, Any]:
    """Bring the domain's rows of `sft_split` up to date and write the exports of all domains.

    Returns:
        records, one figure per split, dropped (reason -> n), dropped_elsewhere (records of other domains that had to
        go), personas, tokens_total, tokens_mean, redactions (kind -> n), pairs, written (rows new or changed),
        exported (records of all domains), export_dir; where they apply, secret_variables (names, never values),
        malformed_example and the figures of decontamination.

    Raises:
        BenchmarkError: a benchmark named cannot be read.
        TokenizerMissing: the tokenizer named is not there.
    """
    benchmarks = load_benchmarks(run.settings.benchmark_paths) if run.settings.benchmark_paths else None
    with exports_locked(run.settings.exports_dir) as folder, _Spool(run.warehouse.scratch) as spool:
        selection = select_sessions(run.warehouse, run.settings)
        built = _Built(run, domain, selection, benchmarks, spool)
        for done, body in enumerate(built.bodies(), start=1):
            built.take(body)
            run.progress(done, len(built.candidates), "records")
        neighbours = near_benchmarks(run, domain, benchmarks) if benchmarks else []
        elsewhere = _store(run, domain, built, neighbours)
        exported = write_exports(run.warehouse, folder)
    figures = built.summary() | {"dropped_elsewhere": elsewhere, "exported": exported, "export_dir": str(folder)}
    if benchmarks:
        report = write_report(run.warehouse, run.settings, benchmarks)
        figures |= {
            "benchmark_items": len(benchmarks.items),
            "benchmark_files_left_out": list(benchmarks.left_out),
            "contaminated": len({identity for identity, _ in built.hits}),
            "decontamination_report": str(report.absolute()),
        }
    return figures


class _Spool:
    """Rows on disk, in a file without a name, until they are written: no domain is in memory whole."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed when the context ends)
        self._waiting: list[dict[str, Any]] = []
        self._writer: Any = None
        self._schema: pa.Schema | None = None
        self.rows = 0

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row; all of them have the same columns, and none is null."""
        self._waiting.append(row)
        self.rows += 1
        if len(self._waiting) == _PAGE:
            self._flush()

    def tables(self) -> Iterator[pa.Table]:
        """Everything that was added, a page at a time; nothing can be added after that."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._file.seek(0)
            for batch in pa.ipc.open_stream(self._file):
                yield pa.Table.from_batches([batch])

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_pylist(self._waiting, schema=self._schema)
        if self._writer is None:
            self._schema = table.schema
            self._writer = pa.ipc.new_stream(self._file, self._schema)
        self._writer.write_table(table)
        self._waiting = []


class _Built:
    """The domain's records as they come about: which stay, which are written, and the figures of both."""

    def __init__(
        self, run: StageRun, domain: str, selection: Selection, benchmarks: Benchmarks | None, spool: _Spool
    ) -> None:
        self.run, self.domain, self.benchmarks, self.spool = run, domain, benchmarks, spool
        self.kept_ids = [_record_id(candidate["dialogue_id"]) for candidate in selection.kept]
        self.reasons = selection.dropped
        self.candidates = {c["dialogue_id"]: c for c in selection.kept if c["domain"] == domain}
        self.rejected = {c["rejected"]: c for c in self.candidates.values() if c["rejected"]}
        rows = run.warehouse.rows(sql("train/select_existing"), {"domain": domain})
        self.existing = {row["id"]: row for row in rows}
        dropped = run.warehouse.rows(sql("train/select_sessions_of_domain"), {"domain": domain})
        here = {row["id"] for row in dropped}
        self.dropped: dict[str, tuple[str, str]] = {i: (r, "") for i, r in selection.dropped.items() if i in here}
        names = sorted({path.name for path in run.settings.benchmark_paths})
        self.against = {"names": names, **benchmarks.facts()} if benchmarks else None
        self.machine = Machine.here(run.settings)
        self.scrubber = Scrubber(self.machine)
        self.scenarios = load_scenarios(run.warehouse)
        self.ids: list[str] = []
        self.pairs: list[dict[str, Any]] = []
        self.hits: list[tuple[str, Hit]] = []
        self.personas: set[str] = set()
        self.splits: Counter[str] = Counter()
        self.redactions: Counter[str] = Counter()
        self.tokens = 0
        self.leaking: set[str] = set()
        self.malformed_example = ""

    def bodies(self) -> Iterator[dict[str, Any]]:
        """Messages and tools of the selected sessions, and of the rejected ones beside them."""
        wanted = {"domain": self.domain, "ids": [*self.candidates, *self.rejected]}
        yield from self.run.warehouse.stream(sql("train/select_bodies"), wanted, _PAGE)

    def take(self, body: dict[str, Any]) -> None:
        """Make a record of a selected session, or say why it cannot be one; make a pair with a rejected one."""
        if candidate := self.candidates.get(body["id"]):
            self._record(candidate, body)
        if chosen := self.rejected.get(body["id"]):
            self._rejected(chosen, body)

    def summary(self) -> dict[str, Any]:
        """The flat figures of the domain."""
        figures: dict[str, Any] = {
            "records": len(self.ids),
            **{split: self.splits[split] for split in SPLITS},
            "personas": len(self.personas),
            "tokens_total": self.tokens,
            "tokens_mean": round(self.tokens / len(self.ids), 1) if self.ids else 0.0,
            "redactions": dict(sorted(self.redactions.items())),
            "pairs": len(self.pairs),
            "dropped": dict(sorted(Counter(reason for reason, _ in self.dropped.values()).items())),
            "written": self.spool.rows,
        }
        if self.leaking:
            figures["secret_variables"] = sorted(self.leaking)
        if self.malformed_example:
            figures["malformed_example"] = self.malformed_example
        return figures

    def _record(self, candidate: Candidate, body: dict[str, Any]) -> None:
        identity = candidate["dialogue_id"]
        try:
            before = _messages(body)
            messages, redactions = self.scrubber.scrub(before, self._invented(candidate, body))
            example = self._example(candidate, body, messages, redactions)
        except ValueError as error:  # pydantic's are ValueErrors
            self.malformed_example = self.malformed_example or f"{identity}: {error}"[:500]
            self.dropped[identity] = ("malformed", str(error)[:500])
            return
        self.leaking |= leaked([before, example.tools, example.provenance], self.machine.secrets)
        if names := leaked([example.messages, example.tools, example.provenance], self.machine.secrets):
            self.dropped[identity] = ("secret", ", ".join(sorted(names)))
            return
        if hits := self.benchmarks.search(before) if self.benchmarks else []:
            self.hits += [(identity, hit) for hit in hits]
            self.dropped[identity] = ("contaminated", f"{hits[0].item}: {hits[0].rule}")
            return
        spec = _spec_hash(example, body)
        known = self.existing.get(example.id)
        unchanged = known is not None and known["spec_hash"] == spec
        settings = self.run.settings
        if known is not None and unchanged:
            tokens = known["tokens"]
        else:
            tokens = count_tokens(example.messages, example.tools, settings.sft_tokenizer)
        if tokens < settings.sft_min_tokens or 0 < settings.sft_max_tokens < tokens:
            self.dropped[identity] = (
                "too_short" if tokens < settings.sft_min_tokens else "too_long",
                f"{tokens} tokens",
            )
            return
        self.ids.append(example.id)
        self.personas.add(candidate["persona_id"])
        self.splits[example.split] += 1
        self.redactions.update({entry.kind: entry.count for entry in redactions})
        self.tokens += tokens
        if not unchanged:
            self.spool.add(self._row(example, body, tokens, spec))

    def _rejected(self, chosen: Candidate, body: dict[str, Any]) -> None:
        try:
            before = _messages(body)
        except ValueError:
            return  # what could be no record is no half of a pair
        messages, redactions = self.scrubber.scrub(before, self._invented(chosen, body))
        if leaked(messages, self.machine.secrets) or (self.benchmarks and self.benchmarks.search(before)):
            return
        self.pairs.append(
            {
                "id": content_hash("pair", chosen["dialogue_id"], body["id"]),
                "domain": self.domain,
                "intent_id": chosen["intent_id"],
                "split": chosen["split"],
                "chosen_id": _record_id(chosen["dialogue_id"]),
                "rejected_dialogue_id": body["id"],
                "rejected_messages": _printed(messages) if redactions else body["messages"],
                "redactions": json.dumps([asdict(entry) for entry in redactions]),
                "run_id": self.run.run_id,
                "written_at": datetime.now(UTC),
            }
        )

    def _invented(self, candidate: Candidate, body: Mapping[str, Any]) -> str:
        """Words of the intent and its scenarios: what stands in them is nobody's."""
        hashes = json.loads(candidate["scenario_hashes"] or "{}").values()
        return " ".join([body["invented"] or "", *(self.scenarios[h].spec for h in hashes if h in self.scenarios)])

    def _example(
        self, candidate: Candidate, body: dict[str, Any], messages: list[dict[str, Any]], redactions: list[Redaction]
    ) -> SFTExample:
        """The record, its tokens not counted yet. Raises ValueError when its text is not a trainable dialogue."""
        provenance = provenance_of(
            candidate, self.run.settings, self.scenarios, messages, body["tools"] or "", redactions, self.against
        )
        settings = self.run.settings
        failed = () if settings.sft_train_failed_calls else body["recovered_failures"] or ()
        unlabelled = () if settings.sft_train_after_unlabelled else body["unlabelled_errors"] or ()
        untrained = untrained_messages(messages, failed, unlabelled)
        if untrained:
            provenance["untrained"] = untrained
        return SFTExample(
            id=_record_id(candidate["dialogue_id"]),
            dialogue_id=candidate["dialogue_id"],
            intent_id=candidate["intent_id"],
            domain=self.domain,
            split=candidate["split"],
            messages=messages,
            tools=_OBJECTS.validate_json(body["tools"] or ""),
            train_mask=train_mask(messages, untrained),
            tokens=0,
            tokenizer=self.run.settings.sft_tokenizer,
            provenance={**provenance, "runs": {**provenance["runs"], "sft_split": self.run.run_id}},
        )

    def _row(self, example: SFTExample, body: dict[str, Any], tokens: int, spec: str) -> dict[str, Any]:
        untouched = not example.provenance["redactions"]
        return {
            **example.model_dump(include={"id", "domain", "dialogue_id", "intent_id", "split", "tokenizer"}),
            # the dialogue's own text, where nothing was redacted: parsing and printing it again could change bytes
            "messages": body["messages"] if untouched else _printed(example.messages),
            "tools": body["tools"],
            "train_mask": json.dumps(example.train_mask),
            "tokens": tokens,
            "provenance": json.dumps(example.provenance, ensure_ascii=False, sort_keys=True),
            "run_id": self.run.run_id,
            "spec_hash": spec,
            "written_at": datetime.now(UTC),
        }


def _store(run: StageRun, domain: str, built: _Built, neighbours: Sequence[tuple[str, Hit]]) -> int:
    """Write everything in one transaction; returns how many records of other domains had to go."""
    stamp = {"run_id": run.run_id, "written_at": datetime.now(UTC)}

    def store(connection: Any) -> int:
        connection.execute(sql("train/delete_unselected"), {"domain": domain, "ids": built.ids})
        for table in built.spool.tables():
            replace_rows(connection, "sft_split", table, ["id"])
        elsewhere = {"domain": domain, "ids": built.kept_ids}
        gone = connection.execute(sql("train/find_elsewhere"), elsewhere).fetchall()
        connection.execute(sql("train/delete_elsewhere"), elsewhere)
        for name in ("dropped", "pairs", "decontamination"):
            connection.execute(sql(f"train/delete_{name}"), {"domain": domain})
        reasons = [(identity, domain, *why) for identity, why in built.dropped.items()]
        reasons += [(identity, where, built.reasons.get(identity, "gone"), "") for identity, where in gone]
        dropped = [
            {"dialogue_id": identity, "domain": where, "reason": reason, "detail": detail, **stamp}
            for identity, where, reason, detail in reasons
        ]
        hits = [
            {"dialogue_id": identity, "domain": domain, **asdict(hit), **stamp}
            for identity, hit in [*built.hits, *neighbours]
        ]
        records = set(built.ids)
        pairs = [pair for pair in built.pairs if pair["chosen_id"] in records]
        for name, rows, keys in (
            ("sft_dropped", dropped, ["dialogue_id"]),
            ("decontamination", hits, ["dialogue_id", "message_index", "item", "rule"]),
            ("preference_pairs", pairs, ["id"]),
        ):
            replace_rows(connection, name, rows_to_arrow(name, rows), keys)
        built.pairs = pairs
        return len(gone)

    return run.warehouse.write(store)


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The session's messages. Raises ValueError when they are no whole conversation."""
    messages = _OBJECTS.validate_json(body["messages"] or "")
    check_messages(messages)
    return messages


def _record_id(dialogue_id: str) -> str:
    return content_hash("sft", dialogue_id)


def _printed(messages: list[dict[str, Any]]) -> str:
    return json.dumps(messages, ensure_ascii=False, separators=(",", ":"))


def _spec_hash(example: SFTExample, body: Mapping[str, Any]) -> str:
    """Everything the row is made of, but for the run that writes it."""
    runs = {stage: run_id for stage, run_id in example.provenance["runs"].items() if stage != "sft_split"}
    return content_hash(
        SPLIT_VERSION,
        example.tokenizer,
        example.split,
        {**example.provenance, "runs": runs},
        hashlib.sha256(body["messages"].encode()).hexdigest(),
        hashlib.sha256(body["tools"].encode()).hexdigest(),
    )
