"""Where a record came from: what is written into it, and the way back through the warehouse."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ise_assets import __version__
from ise_assets.intent import writer
from ise_assets.intent.models import content_hash
from ise_assets.intent.pool import INTENT_VERSION
from ise_assets.intent.sampler import SAMPLER_VERSION, intent_id
from ise_assets.settings import Settings
from ise_assets.simulate import user
from ise_assets.simulate.stage import STAGE_VERSION as SIMULATE_VERSION
from ise_assets.simulate.stage import made_of
from ise_assets.train.scrub import SCRUB_VERSION, Redaction
from ise_assets.warehouse import Warehouse, sql

SPLIT_VERSION = 2
SCRIPTED_LICENCE = "mit"
MODEL_LICENCE = "other"
_SEEDS_TRIED = 256


@dataclass(frozen=True)
class Scenario:
    """A version of a scenario as the catalogue has it: the run that recorded it, and its whole text."""

    run_id: str
    spec: str


def load_scenarios(warehouse: Warehouse) -> dict[str, Scenario]:
    """All versions of all scenarios by content hash."""
    rows = warehouse.rows(sql("train/select_scenarios"))
    return {row["content_hash"]: Scenario(row["run_id"], row["spec"] or "") for row in rows}


def provenance_of(
    candidate: Mapping[str, Any],
    settings: Settings,
    scenarios: Mapping[str, Scenario],
    messages: Sequence[Mapping[str, Any]],
    tools: str,
    redactions: Sequence[Redaction] = (),
    benchmarks: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Where a record came from, but for the run that writes it.

    `sampler_seed` and `intent_number` are given only when they are proven: the intent's id is a hash of them, and
    intents drawn under another seed than the present one have none. In the same way the versions of the stages and the
    prompts of user and writer are given only when the rows' own hashes say that the present ones made them; the agent's
    prompt is hashed as it was sent. `scripted` is true as soon as one role was scripted.
    """
    models = {
        "intent_writer": candidate["writer_model"],
        "user": candidate["user_model"],
        "agent": candidate["agent_model"],
    }
    scripted = sorted(role for role, model in models.items() if str(model).startswith("scripted/"))
    number = _intent_number(candidate, settings)
    hashes = json.loads(candidate["scenario_hashes"] or "{}")
    return {
        "persona_id": candidate["persona_id"],
        "persona_list": candidate["persona_list"],
        "persona_list_sha256": candidate["persona_list_sha256"],
        "intent_id": candidate["intent_id"],
        "complexity": candidate["complexity"],
        "tasks": list(candidate["tasks"] or []),
        "scenario_hashes": hashes,
        "catalog_version": content_hash("catalog", sorted(hashes.items())),
        "rollout_index": candidate["rollout_index"],
        "pass_rate": candidate["pass_rate"],
        "models": models,
        "agent_command": candidate["agent_command"],
        "scripted": bool(scripted),
        "scripted_roles": scripted,
        "prompts": _prompts(candidate, messages, tools),
        "sampler_seed": None if number is None else settings.seed,
        "intent_number": number,
        "accepted": candidate["accepted"],
        "declined": candidate["declined"],
        "failures": candidate["failures"],
        "recoveries": candidate["recoveries"],
        "backend": candidate["backend"],
        "redactions": [
            {"kind": entry.kind, "placeholder": entry.placeholder, "count": entry.count} for entry in redactions
        ],
        "decontaminated_against": benchmarks,
        "ise_assets": __version__,
        "stage_versions": {
            "sampler": None if number is None else SAMPLER_VERSION,
            "intent_pool": INTENT_VERSION if _intent_is_of_this_version(candidate) else None,
            "simulated_dialogues": SIMULATE_VERSION if _session_is_of_this_version(candidate) else None,
            "scrub": SCRUB_VERSION,
            "sft_split": SPLIT_VERSION,
        },
        "licence": SCRIPTED_LICENCE if len(scripted) == len(models) else MODEL_LICENCE,
        "runs": {
            "persona_pool": candidate["persona_run"],
            "task_catalog": sorted({scenarios[h].run_id for h in hashes.values() if h in scenarios}),
            "intent_pool": candidate["intent_run"],
            "deduped_pool": candidate["dedup_run"],
            "simulated_dialogues": candidate["dialogue_run"],
            "executed_traces": candidate["trace_run"],
        },
    }


def walk_back(warehouse: Warehouse, identity: str) -> dict[str, Any]:
    """A record, and everything in the warehouse that it came from, nearest first.

    Args:
        warehouse: where it lies.
        identity: the id of a record or of its dialogue, or the beginning of one.

    Returns:
        record, dialogue, trace, intent, scenarios, persona, persona_list, model_calls: the rows that provenance names,
        without long bodies; None, or an empty list, where the warehouse has none any more.

    Raises:
        LookupError: no record, or several, begin with that id; then the reason a session gave none is told.
    """
    found = warehouse.rows(sql("train/find_record"), {"id": identity})
    if len(found) != 1:
        close = ", ".join(row["id"] for row in found[:5])
        reasons = warehouse.rows(sql("train/find_dropped"), {"id": identity})
        if not found and reasons:
            row = reasons[0]
            detail = f" ({row['detail']})" if row["detail"] else ""
            raise LookupError(f"session {row['dialogue_id']} gave no record: {row['reason']}{detail}")
        raise LookupError(
            f"{len(found)} records begin with {identity!r}: {close}"
            if found
            else f'no record of {identity!r}; list some with: ise sql "SELECT id, dialogue_id FROM sft_split LIMIT 10"'
        )
    record = found[0]
    provenance = json.loads(record["provenance"])
    keys = {
        "dialogue": record["dialogue_id"],
        "intent": record["intent_id"],
        "persona": provenance["persona_id"],
        "list": provenance["persona_list"],
        "sha256": provenance["persona_list_sha256"],
        "scenarios": sorted(provenance["scenario_hashes"].values()),
    }

    def one(query: str, *names: str) -> dict[str, Any] | None:
        return next(iter(warehouse.rows(sql(f"train/{query}"), {name: keys[name] for name in names})), None)

    return {
        "record": {**record, "provenance": provenance},
        "dialogue": one("find_dialogue_facts", "dialogue"),
        "trace": one("find_trace_facts", "dialogue"),
        "intent": one("find_intent_facts", "intent"),
        "scenarios": warehouse.rows(sql("train/find_scenario_facts"), {"scenarios": keys["scenarios"]}),
        "persona": one("find_persona_facts", "persona"),
        "persona_list": one("find_list_facts", "list", "sha256"),
        "model_calls": warehouse.rows(
            sql("train/find_model_calls"), {"dialogue": keys["dialogue"], "intent": keys["intent"]}
        ),
    }


def _prompts(candidate: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], tools: str) -> dict[str, str | None]:
    system = next((str(message["content"]) for message in messages if message.get("role") == "system"), None)
    same_session, same_intent = _session_is_of_this_version(candidate), _intent_is_of_this_version(candidate)
    return {
        "agent": None if system is None else _sha256(system),
        "tools": _sha256(tools),
        "user": _template_hashes()[0] if same_session else None,
        "intent_writer": _template_hashes()[1] if same_intent else None,
    }


@cache
def _template_hashes() -> tuple[str, str]:
    """Of the present user's and writer's prompts, whatever persona is put into them."""
    return _sha256(user.PRINCIPLES), _sha256(writer.SYSTEM)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _intent_is_of_this_version(candidate: Mapping[str, Any]) -> bool:
    made = ("intent_pool", INTENT_VERSION, SAMPLER_VERSION, candidate["intent_id"], candidate["persona_id"])
    return bool(candidate["intent_spec"] == content_hash(*made))


def _session_is_of_this_version(candidate: Mapping[str, Any]) -> bool:
    made = made_of(*(candidate[name] for name in ("intent_spec", "user_model", "agent_model", "agent_command")))
    return bool(candidate["dialogue_spec"] == content_hash(*made))


def _intent_number(candidate: Mapping[str, Any], settings: Settings) -> int | None:
    tried = range(max(settings.intents_per_persona, _SEEDS_TRIED))
    return next(
        (k for k in tried if intent_id(settings.seed, candidate["persona_id"], k) == candidate["intent_id"]), None
    )
