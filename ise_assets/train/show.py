"""A record for the terminal: its provenance, a line per step back to its persona list; its tokens, coloured by the train mask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from ise_assets.train.masks import IGNORED, label, load_tokenizer
from ise_assets.train.models import SFTExample
from ise_assets.train.provenance import walk_back
from ise_assets.warehouse import Warehouse, sql

_GONE = "not in the warehouse any more"


def print_provenance(console: Console, warehouse: Warehouse, identity: str) -> None:
    """Walks a record (by its id or its dialogue's) back; what came from models or lists is shown as text.

    Raises:
        LookupError: no record begins with that id, or several do.
    """
    if not warehouse.exists():
        raise LookupError(f"{warehouse.name} is not there; run `ise demo` or `ise run` first")
    found = walk_back(warehouse, identity)
    record, provenance = found["record"], found["record"]["provenance"]
    tree = Tree(
        _line("record", record["id"], f"{record['split']}, {record['tokens']} tokens by {record['tokenizer']}", record)
    )
    tree.add(_facts(provenance, "licence", "ise_assets", "stage_versions", "decontaminated_against"))
    for entry in provenance["redactions"]:
        tree.add(Text(f"redacted: {entry['kind']} as {entry['placeholder']}, {entry['count']} times", style="yellow"))
    trace = found["trace"]
    tree.add(
        _line("executed_traces", record["dialogue_id"], _told(trace, "accepted", "reproduced", "recoveries"), trace)
    )
    dialogue = found["dialogue"]
    node = tree.add(
        _line(
            "simulated_dialogues",
            record["dialogue_id"],
            _told(dialogue, "status", "rollout_index", "backend"),
            dialogue,
        )
    )
    node.add(_facts(provenance, "models", "prompts"))
    for call in found["model_calls"]:
        node.add(_facts(call, "role", "model", "calls", "prompt_tokens", "completion_tokens", "cost_usd"))
    intent = found["intent"]
    node = node.add(_line("intent_pool", record["intent_id"], _told(intent, "complexity", "domains"), intent))
    node.add(_facts(provenance, "sampler_seed", "intent_number", "catalog_version"))
    if intent:
        node.add(Text(intent["utterance"], style="cyan"))
        node.add(Text(f"deduped_pool: run {intent['dedup_run']}", style="dim"))
        node.add(Text(f"intent_embeddings: {intent['embedding_model']}, run {intent['embedding_run']}", style="dim"))
    known = {row["content_hash"]: row for row in found["scenarios"]}
    for name, version in provenance["scenario_hashes"].items():
        row = known.get(version)
        node.add(_line("task_catalog", f"{name} {version}", _told(row, "title", "current"), row))
    persona = found["persona"]
    node = node.add(_line("persona_pool", provenance["persona_id"], _told(persona, "name", "role"), persona))
    told = f"sha256 {provenance['persona_list_sha256']}, {_told(found['persona_list'], 'rows_good', 'rows_bad')}"
    node.add(_line("persona list", str(provenance["persona_list"]), told, found["persona_list"]))
    console.print(tree)


def _line(what: str, identity: str, told: str, row: Mapping[str, Any] | None) -> Text:
    line = Text(f"{what} ", style="bold").append(identity, style="green").append(f"  {told}", style="")
    if row:
        line.append(f"  run {row['run_id']}, {row['written_at']:%Y-%m-%d %H:%M}", style="dim")
    return line


def _told(row: Mapping[str, Any] | None, *names: str) -> str:
    return _GONE if row is None else ", ".join(f"{name} {_shown(row[name])}" for name in names)


def _facts(row: Mapping[str, Any], *names: str) -> Text:
    return Text("; ".join(f"{name}: {_shown(row.get(name))}" for name in names), style="dim")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return "unknown" if value is None else str(value)


def print_tokens(console: Console, warehouse: Warehouse, identity: str, tokenizer: Path) -> None:
    """A record (by its id or its dialogue's) as a model sees it: what it is trained on is coloured, the rest is dim.

    Raises:
        LookupError: no record begins with that id, or several do.
        FormatError: the folder holds no tokenizer, or its chat template rewrites earlier turns.
    """
    if not warehouse.exists():
        raise LookupError(f"{warehouse.name} is not there; run `ise demo` or `ise run` first")
    rows = warehouse.rows(sql("train/find_example"), {"id": identity})
    if len(rows) != 1:
        raise LookupError(f"{'several records begin' if rows else 'no record begins'} with {identity!r}")
    for key in ("messages", "tools", "train_mask", "provenance"):
        rows[0][key] = json.loads(rows[0][key])
    found = label(load_tokenizer(tokenizer), SFTExample.model_validate(rows[0]))
    text = Text()
    for piece, wanted in zip(found.pieces, found.labels, strict=True):
        text.append(piece, style="dim" if wanted == IGNORED else "black on green")
    console.print(text)
    trained = sum(wanted != IGNORED for wanted in found.labels)
    console.print(f"{trained:,} of {len(found.labels):,} tokens are trained on (coloured)", style="bold")
