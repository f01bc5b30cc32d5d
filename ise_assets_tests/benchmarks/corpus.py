"""A warehouse with as many sessions as a benchmark asks for: a few real ones of the scripted teacher, copied under other ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ise_assets.execute.stage import replay_domain
from ise_assets.intent import persona_pool as people
from ise_assets.intent.catalog import record_catalog
from ise_assets.intent.pool import write_intents
from ise_assets.settings import load_settings
from ise_assets.simulate.scripted.provider import register
from ise_assets.simulate.stage import simulate_domain
from ise_assets.stage import StageRun
from ise_assets.train.split import build_split
from ise_assets.warehouse import Warehouse

DOMAINS = ("file-io", "source-chain", "web-extraction")
REAL = 8
"""Sessions played in each of these domains."""

_IDENTITIES = {
    "intent_pool": ("id",),
    "deduped_pool": ("intent_id",),
    "simulated_dialogues": ("id", "intent_id"),
    "executed_traces": ("dialogue_id", "intent_id"),
    "tool_calls": ("dialogue_id",),
    "sft_split": ("id", "dialogue_id", "intent_id"),
}
_COPIES_AT_ONCE = 25
# no two sessions have the same text, so that none is stored once for many
_UNLIKE = {
    "simulated_dialogues": 'replace(messages::VARCHAR, \'"role":\', \'"copy":"\' || md5(id || copy) || \'","role":\') AS messages',
    "sft_split": "replace(messages::VARCHAR, '\"content\": \"', '\"content\": \"' || md5(id || copy) || ' ') AS messages",
}
# every tenth record beside another session of its domain, as if that were a rejected one of the same intent
_PAIRS = """
INSERT INTO preference_pairs BY NAME
SELECT id, domain, intent_id, split, id AS chosen_id, other AS rejected_dialogue_id, other_messages AS rejected_messages,
    '{}' AS redactions, run_id, written_at
FROM (
    SELECT *, row_number() OVER w AS n, lead(dialogue_id) OVER w AS other, lead(messages) OVER w AS other_messages
    FROM sft_split WINDOW w AS (PARTITION BY domain ORDER BY id)
)
WHERE n % 10 = 0 AND other IS NOT NULL
"""


def play_sessions(home: Path, domains: Sequence[str], each: int) -> StageRun:
    """A run over a new warehouse with so many sessions of the scripted teacher in each domain, lived and replayed."""
    register()
    settings = load_settings(home=home, shipped_personas_per_list=20)
    run = StageRun(Warehouse.of(settings), settings, "corpus")
    people.take_in(run)
    record_catalog(run)
    for domain in domains:
        write_intents(run, domain)
        keep = f"INSERT INTO deduped_pool BY NAME SELECT id AS intent_id, domain FROM intent_pool WHERE domain = '{domain}'"
        run.warehouse.write(lambda connection, keep=keep: connection.execute(f"{keep} ORDER BY id LIMIT {each}"))
        simulate_domain(run, domain)
        replay_domain(run, domain)
    return run


def make_corpus(home: Path, sessions: int) -> StageRun:
    """A run over a new warehouse with at least so many sessions, replayed and split."""
    run = play_sessions(home, DOMAINS, REAL)
    for domain in DOMAINS:
        build_split(run, domain)
    real = int(run.warehouse.scalar("SELECT count(*) FROM simulated_dialogues"))
    copies = -(-sessions // real)
    for table, columns in _IDENTITIES.items():
        # only what belongs to a session that was played
        other = ", ".join(
            [*(f"{column} || '-' || copy AS {column}" for column in columns), *filter(None, [_UNLIKE.get(table)])]
        )
        run.warehouse.write(lambda c, t=table: c.execute(f"CREATE TABLE real_{t} AS FROM {t}"))
        for first in range(1, copies, _COPIES_AT_ONCE):
            last = min(first + _COPIES_AT_ONCE, copies)
            statement = f"INSERT INTO {table} BY NAME SELECT o.* REPLACE ({other}) FROM real_{table} o, range({first}, {last}) r(copy)"
            run.warehouse.write(lambda connection, statement=statement: connection.execute(statement))
        run.warehouse.write(lambda c, t=table: c.execute(f"DROP TABLE real_{t}"))
    run.warehouse.write(lambda connection: connection.execute(_PAIRS))
    return run
