"""Kill the run anywhere, run the same command again: the tables end as if nothing had happened."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ise_assets.execute.normalise import normalise
from ise_assets.warehouse import Warehouse

DOMAIN = "file-io"
PERSONAS = 40
# What says when and in which run something was written, or how long it took; `provenance` names the runs.
TIMES = {"run_id", "written_at", "duration_s", "duration_ms", "provenance"}
TABLES = {
    "persona_pool": "id",
    "task_catalog": "content_hash",
    "intent_pool": "id",
    "intent_embeddings": "intent_id",
    "deduped_pool": "intent_id",
    "dropped_duplicates": "intent_id",
    "diversity_report": "metric, n",
    "simulated_dialogues": "id",
    "tool_calls": "dialogue_id, call_index",
    "executed_traces": "dialogue_id",
    "sft_split": "id",
}


def environment(home: Path) -> dict[str, str]:
    wanted = {
        "ISE_HOME": str(home / "data"),
        "DAGSTER_HOME": str(home / "dagster"),
        "ISE_SHIPPED_PERSONAS": "false",
        "ISE_MAX_CONCURRENT_SESSIONS": "2",
    }
    return {**os.environ, **wanted}


def write_personas(home: Path) -> None:
    folder = home / "data" / "personas"
    folder.mkdir(parents=True)
    rows = [
        {
            "name": f"Person {number}",
            "role": f"planner of line {number}",
            "industry": "transport",
            "expertise": ["timetables", f"depot {number}"],
            "experience_level": "senior",
            "communication_style": ["terse", "plain", "warm and chatty", "formal, full sentences"][number % 4],
            "work_context": f"Plans the night buses of district {number} and inherited a shared drive nobody has tidied.",
        }
        for number in range(PERSONAS)
    ]
    (folder / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def command(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ise_assets.cli", "run", "--domains", DOMAIN],
        env=environment(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def tables(home: Path) -> dict[str, list[dict[str, Any]]]:
    warehouse = Warehouse(home / "data" / "ise.duckdb")
    return {
        table: [
            {name: comparable(name, value) for name, value in row.items() if name not in TIMES}
            for row in warehouse.rows(f"SELECT * FROM {table} ORDER BY {order}")
        ]
        for table, order in TABLES.items()
    }


def comparable(name: str, value: Any) -> Any:
    if name == "calls":
        untimed = [
            {k: v for k, v in call.items() if k not in ("offset_s", "duration_ms")} for call in json.loads(value)
        ]
        return normalise(json.dumps(untimed))[0]
    return normalise(value)[0] if isinstance(value, str) else value


@pytest.mark.long
def test_ten_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    for home in (calm, stormy):
        write_personas(home)
    began = time.monotonic()
    whole = command(calm)
    assert whole.wait() == 0, whole.stderr.read().decode() if whole.stderr else ""
    lasted = time.monotonic() - began
    rng = random.Random(4)
    kills = 0
    for _ in range(10):
        process = command(stormy)
        try:
            process.wait(rng.uniform(0.25, 0.95) * lasted)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.wait()
    assert kills >= 1
    last = command(stormy)
    assert last.wait() == 0, last.stderr.read().decode() if last.stderr else ""
    expected, found = tables(calm), tables(stormy)
    assert {name: len(rows) for name, rows in expected.items()} == {name: len(rows) for name, rows in found.items()}
    for table in TABLES:
        assert found[table] == expected[table], table
    assert expected["sft_split"]
