"""What `sft_split` costs without its export files: selection over all domains, scrubbing, benchmarks, tokens, the table.

    python -m ise_assets_tests.benchmarks.bench_split [--n 23132] [--benchmark-tasks 200] [--json]

The sessions are made up: 80 messages and 30 tool calls of about 27,000 characters each, as the scripted teacher's are, with
random words, random vectors of 768 numbers and random parameters, over ten domains. All ten are built, one after the other, in one
process whose peak memory is measured. `again` is the same once more with nothing new. `--json` prints one object last.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ise_assets.intent.models import DOMAINS, content_hash
from ise_assets.intent.sampler import intent_id
from ise_assets.settings import Settings, load_settings
from ise_assets.stage import StageRun
from ise_assets.train import split
from ise_assets.warehouse import Warehouse

ISE_SESSIONS = 23_132
_AT_ONCE = 500
_TASKS = [f"scenario-{number}" for number in range(131)]
_WRITTEN = datetime(2026, 6, 11, tzinfo=UTC)


def _sentence(rng: random.Random, words: list[str], count: int) -> str:
    return " ".join(rng.choices(words, k=count))


def _messages(rng: random.Random, words: list[str]) -> str:
    messages: list[dict[str, Any]] = [{"role": "system", "content": _sentence(rng, words, 200)}]
    for turn in range(9):
        messages.append({"role": "user", "content": _sentence(rng, words, 30)})
        for number in range(turn * 10, turn * 10 + (4 if turn % 3 == 0 else 3)):
            arguments = {
                "command": f"grep -n '{_sentence(rng, words, 2)}' /home/user/work/file-{rng.randrange(9999)}.txt"
            }
            call = {"id": f"call_{number}", "type": "function"}
            messages.append(
                {
                    "role": "assistant",
                    "content": _sentence(rng, words, 6),
                    "tool_calls": [call | {"function": {"name": "exec", "arguments": json.dumps(arguments)}}],
                }
            )
            lines = "\n".join(f"{rng.randrange(10**6)}: {_sentence(rng, words, 8)}" for _ in range(10))
            messages.append({"role": "tool", "tool_call_id": f"call_{number}", "name": "exec", "content": lines})
        messages.append({"role": "assistant", "content": _sentence(rng, words, 25)})
    return json.dumps(messages, separators=(",", ":"))


def fill(warehouse: Warehouse, n: int, model: str, sampler_seed: int) -> None:
    """`n` sessions of n / 24 personas, in every table that the stage reads."""
    rng, numbers = random.Random(11), np.random.default_rng(11)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 10))) for _ in range(8_000)]
    tools = json.dumps([{"type": "function", "function": {"name": "exec", "parameters": {"type": "object"}}}])
    for start in range(0, n, _AT_ONCE):
        tables: dict[str, list[dict[str, Any]]] = {}
        for number in range(start, min(start + _AT_ONCE, n)):
            persona = content_hash("persona", number // 24)
            intent = intent_id(sampler_seed, persona, number % 24)
            dialogue = content_hash("dialogue", intent, 0)
            domain, drawn = DOMAINS[number % len(DOMAINS)], rng.sample(_TASKS, rng.randrange(3, 6))
            seed = [
                {"task": task, "params": {"seed": rng.randrange(10**9), "day": rng.randrange(30)}} for task in drawn
            ]
            common = {"domain": domain, "run_id": "r", "spec_hash": "s", "written_at": _WRITTEN}
            vector = numbers.normal(size=768).astype(np.float32)
            rows: dict[str, dict[str, Any]] = {
                "intent_pool": {
                    "id": intent,
                    "persona_id": persona,
                    "persona_list": "l",
                    "tasks": drawn,
                    "domains": [domain],
                }
                | {"seed": json.dumps(seed), "utterance": dialogue, "writer_model": "scripted/teacher"}
                | {"scenario_hashes": json.dumps({task: task for task in drawn}), "complexity": "medium"},
                "deduped_pool": {"intent_id": intent},
                "intent_embeddings": {"intent_id": intent, "model": model, "generation": 1}
                | {"vector": vector / np.linalg.norm(vector)},
                "simulated_dialogues": {"id": dialogue, "intent_id": intent, "rollout_index": 0, "status": "completed"}
                | {"messages": _messages(rng, words), "tools": tools, "user_turns": 9, "dialogue_turns": 80}
                | {"tool_call_count": 30, "user_model": "scripted/teacher", "agent_model": "scripted/teacher"},
                "executed_traces": {"dialogue_id": dialogue, "intent_id": intent, "accepted": True, "reproduced": True}
                | {"declined": False, "failures": 1, "recoveries": 1},
            }
            for table, row in rows.items():
                tables.setdefault(table, []).append(row | common)
            if number % 24 == 0:
                person = {
                    "id": persona,
                    "persona_list": "l",
                    "source_sha256": "x",
                    "run_id": "r",
                    "written_at": _WRITTEN,
                }
                tables.setdefault("persona_pool", []).append(person)

        def put(connection: Any, tables: dict[str, list[dict[str, Any]]] = tables) -> None:
            for table, rows in tables.items():
                connection.register("incoming", pa.Table.from_pylist(rows))
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
                connection.unregister("incoming")

        warehouse.write(put)


def write_benchmark(folder: Path, tasks: int) -> None:
    """Prompts and fixtures of random words, as JSON lines."""
    rng = random.Random(12)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 10))) for _ in range(8_000)]
    lines = [{"prompt": _sentence(rng, words, 60), "fixture": _sentence(rng, words, 2_000)} for _ in range(tasks)]
    (folder / "benchmark.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def build(settings: Settings, results: Any) -> None:
    """All domains, twice; run in a process of its own, for its peak memory."""
    split.write_exports = lambda warehouse, folder: 0
    split.near_benchmarks = lambda run, domain, benchmarks: []  # the encoder's time is told elsewhere
    warehouse = Warehouse.of(settings)
    seconds, cpu, records = [], [], 0
    for _ in range(2):
        began, used, records = time.perf_counter(), time.process_time(), 0
        for domain in DOMAINS:
            records += split.build_split(StageRun(warehouse, settings, "run"), domain)["records"]
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    results.put(
        {
            "records": records,
            "seconds": seconds[0],
            "again_seconds": seconds[1],
            "cpu_seconds": cpu[0],
            "again_cpu_seconds": cpu[1],
            "mib": peak_mib(),
        }
    )


def peak_mib() -> float:
    """Of this process since it was started: what getrusage says includes the parent it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(n: int, tasks: int) -> dict[str, Any]:
    """Figures of one size."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_benchmark(home, tasks)
        settings = load_settings(home=home, benchmarks=str(home / "benchmark.jsonl") if tasks else "")
        fill(Warehouse.of(settings), n, settings.embedding_model, settings.seed)
        size = Warehouse.of(settings).path.stat().st_size / 2**20
        spawn = multiprocessing.get_context("spawn")
        results: Any = spawn.Queue()
        child = spawn.Process(target=build, args=(settings, results))
        child.start()
        figures: dict[str, Any] = results.get()
        child.join()
    return {"n": n, "warehouse_mib": round(size, 1), **{name: round(value, 1) for name, value in figures.items()}}


def main() -> None:
    """Prints a line per size: a quarter, a half and all of `--n`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=ISE_SESSIONS)
    parser.add_argument("--benchmark-tasks", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = []
    for n in (chosen.n // 4, chosen.n // 2, chosen.n):
        found.append(measure(n, chosen.benchmark_tasks))
        row = found[-1]
        print(
            f"{n:>7,} sessions ({row['warehouse_mib']:.0f} MiB): {row['seconds']:.1f} s, of the CPU {row['cpu_seconds']:.1f} s, "
            f"{1000 * row['cpu_seconds'] / n:.1f} ms each; again {row['again_cpu_seconds']:.1f} s of the CPU; "
            f"peak {row['mib']:.0f} MiB; {row['records']} records",
            flush=True,
        )
    if chosen.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
