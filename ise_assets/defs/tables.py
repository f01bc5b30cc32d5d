"""The columns of the tables, for the UI: names and types from the schema itself, words for those that need them."""

from __future__ import annotations

from functools import cache

import dagster as dg
import duckdb

from ise_assets.warehouse import sql

_SCHEMA = ("schema/10_intent", "schema/20_sessions", "schema/30_train")
_WORDS = {
    "domain": "the partition: the intent's primary domain",
    "run_id": "the run that wrote the row",
    "spec_hash": "hash of everything the row was made from; another one means stale",
    "written_at": "when the row was written",
    "persona_list": "the file the persona came from",
    "source_sha256": "hash of that file",
    "content_hash": "hash of this version of the scenario",
    "current": "whether new intents are drawn from this version",
    "tiers": "complexities the scenario may be drawn for",
    "spec": "the whole scenario",
    "domains": "all domains of the intent, the primary one first",
    "tasks": "the intent's scenarios, in order",
    "utterance": "the request in the persona's words",
    "seed": "per scenario: parameters, directory, ports",
    "subgoals": "what the user wants, in order, with the facts the user knows",
    "acceptance": "checks and guards on the final state",
    "scenario_hashes": "version of each scenario, in task_catalog",
    "writer_model": "the model that wrote the utterance",
    "text_sha256": "hash of the embedded text",
    "generation": "order of embedding; deduplication keeps the earlier one",
    "vector": "unit vector of the utterance",
    "metric": "name of the figure",
    "n": "number of intents it was computed over",
    "value": "the figure",
    "detail": "what it is made of",
    "rollout_index": "which of the intent's sessions, from 0",
    "status": "completed, gave_up, turn_limit or error",
    "stop_reason": "why the session ended, in words",
    "accepted_live": "whether all checks held at the end of the live session; null where there are none (imported intents)",
    "attempts": "tries, over all runs",
    "dialogue_turns": "messages, but for the system's",
    "drift_turns": "user turns that fell out of the role",
    "regenerated_turns": "user turns that were asked for again",
    "messages": "the conversation in OpenAI's format, verbatim",
    "tools": "definitions of the tools the agent had",
    "calls": "each live call with its result and time",
    "live_checks": "outcome of each check at the end of the live session",
    "files": "what the live session left changed in its workspace, with a digest of each text",
    "subgoal_turns": "user turns spent on each subgoal",
    "accepted": "every check holds on the replayed final state and did not on the fresh seed; every guard held; null without checks",
    "declined": "the right answer was to refuse, and the agent did",
    "checks": "each check before and after",
    "guards": "each guard before and after",
    "reproduced": "the replay gave what the live session gave",
    "divergence": "where it did not",
    "failures": "calls that failed, harmless ones not counted",
    "recoveries": "failures that the agent got over",
    "recovery_spans": "from which call to which each recovery went",
    "changed_files": "what the session left changed in the workspace",
    "backend": "what isolated the workspace",
    "agent_command": "the program that was the agent in the place of ours, if one was",
    "split": "train, validation or test, a persona in one of them only; test_scenarios: never trained on",
    "train_mask": "1 for each message to learn from: the assistant's",
    "tokens": "length of the record",
    "tokenizer": "what counted the tokens",
    "provenance": "persona, scenarios, models, runs and licence behind the record",
}

_LINEAGE: dict[str, dict[str, tuple[str, ...]]] = {
    "sft_split": {
        "id": ("simulated_dialogues.id",),
        "domain": ("intent_pool.domain",),
        "dialogue_id": ("simulated_dialogues.id",),
        "intent_id": ("intent_pool.id",),
        "split": ("persona_pool.id", "intent_pool.tasks", "intent_pool.seed", "intent_embeddings.vector"),
        "messages": ("simulated_dialogues.messages", "intent_pool.seed", "task_catalog.spec"),
        "tools": ("simulated_dialogues.tools",),
        "train_mask": ("simulated_dialogues.messages", "executed_traces.accepted"),
        "tokens": ("simulated_dialogues.messages", "simulated_dialogues.tools"),
        "provenance": (
            "persona_pool.source_sha256",
            "task_catalog.content_hash",
            "intent_pool.scenario_hashes",
            "deduped_pool.run_id",
            "simulated_dialogues.user_model",
            "simulated_dialogues.agent_model",
            "executed_traces.recoveries",
            "executed_traces.reproduced",
        ),
    },
}
"""Which columns a column is made from, for the assets whose rows come from many tables."""


@cache
def _columns() -> dict[str, list[dg.TableColumn]]:
    with duckdb.connect(":memory:") as connection:
        for name in _SCHEMA:
            connection.execute(sql(name))
        found = connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY column_index"
        ).fetchall()
    columns: dict[str, list[dg.TableColumn]] = {}
    for table, name, kind in found:
        columns.setdefault(table, []).append(dg.TableColumn(name, kind, _WORDS.get(name)))
    return columns


def described(table: str) -> dict[str, dg.MetadataValue]:
    """Definition metadata of the asset that writes `table`: its name and its columns."""
    return {
        "dagster/table_name": dg.MetadataValue.text(f"main.{table}"),
        "dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(_columns()[table])),
    }


def lineage(table: str) -> dg.TableColumnLineage | None:
    """From which columns of other assets the columns of `table` come, where that is told."""
    columns = _LINEAGE.get(table)
    if columns is None:
        return None
    deps = {
        column: [dg.TableColumnDep(dg.AssetKey(asset), name) for asset, name in (s.split(".") for s in sources)]
        for column, sources in columns.items()
    }
    return dg.TableColumnLineage(deps)
