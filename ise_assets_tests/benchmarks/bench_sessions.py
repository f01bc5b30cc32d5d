"""What sessions with a model server cost: how near to the ideal many at once come, CPU per user turn, memory, prefixes.

    .venv/bin/python -m ise_assets_tests.benchmarks.bench_sessions --json

The server is a process of its own on the same machine: it answers 2,000 ms late for the first part, at once for the rest. A user turn
is 4 trivial tool calls and 6 model calls (5 of the agent, 1 of the user). The ideal is what as many sessions take that
only wait for the model and for their own tools.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ise_assets.llm import check_models
from ise_assets.settings import Settings
from ise_assets.simulate.stage import simulate_domain
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse
from ise_assets_tests.simulate.ledger_session import fill
from ise_assets_tests.simulate.model_server import serving

DOMAIN = "file-io"
LONG, SHORT = 8, 3
"""User turns of a session where time is measured (ISE's mean), and where CPU and memory are; six model calls each."""
SETTLED = 100
"""Sessions over which the median of memory is taken: while a batch goes into the warehouse DuckDB rewrites its last 2,048 rows, and
holds up to so many sessions for some tenths of a second."""
WARM = 500
"""Sessions after which memory is looked at first: the first writes of the warehouse are then done."""


def rss_mb() -> float:
    """Memory of this process now, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s() -> float:
    """CPU of this process so far, without its workspaces', seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run_sessions(home: Path, model: str, base: str, count: int, at_once: int) -> dict[str, Any]:
    """`count` sessions, `at_once` of them at a time, and what they cost."""
    os.environ |= {"HOSTED_VLLM_API_BASE": base, "OPENAI_API_BASE": base, "OPENAI_API_KEY": "none"}
    settings = Settings(_env_file=None, home=home, user_model=model, agent_model=model, max_concurrent_sessions=at_once)  # type: ignore[call-arg]
    run = StageRun(Warehouse.of(settings), settings, "bench")
    fill(run.warehouse, count)
    grown: list[float] = []
    warm = min(count // 2, WARM)
    run = StageRun(
        run.warehouse,
        settings,
        "bench",
        progress=lambda done, total, what: grown.append(rss_mb()) if done >= warm else None,
    )
    # loads litellm: 2.4 s of CPU once a process, like Dagster's own start no part of any session
    check_models(settings)
    before, began = cpu_s(), time.monotonic()
    summary = simulate_domain(run, DOMAIN)
    seconds, cpu = time.monotonic() - began, cpu_s() - before
    assert summary["accepted_live"] == summary["sessions"] == count, summary
    tool_s = float(run.warehouse.scalar(_TOOL_SECONDS))
    return {
        "sessions": count,
        "at_once": at_once,
        "seconds": seconds,
        "tool_s_per_session": tool_s,
        "cpu_s_per_user_turn": cpu / run.warehouse.scalar("SELECT sum(user_turns) FROM simulated_dialogues"),
        "rss_growth_mb": median(grown[-SETTLED:]) - median(grown[:SETTLED]),
        "rss_mb": median(grown[-SETTLED:]),
        "rss_most_mb": max(grown),
    }


_TOOL_SECONDS = """
SELECT avg(s) FROM (
    SELECT sum((call ->> 'duration_ms')::DOUBLE) / 1000 AS s
    FROM (SELECT id, unnest(calls::JSON[]) AS call FROM simulated_dialogues) GROUP BY id
)
"""


def apart(model: str, base: str, count: int, at_once: int) -> subprocess.Popen[str]:
    """`run_sessions` in a process of its own."""
    options = ["--model", model, "--base", base, "--count", str(count), "--at-once", str(at_once)]
    command = [sys.executable, "-m", "ise_assets_tests.benchmarks.bench_sessions", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def results(processes: Sequence[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """What they printed last."""
    said = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit("a part of the benchmark failed; see above")
    return [json.loads(text.splitlines()[-1]) for text in said]


def saturation(found: Sequence[dict[str, Any]], latency_s: float) -> float:
    """Throughput as a share of the ideal, over processes that ran side by side."""
    each = 6 * LONG * latency_s + sum(one["tool_s_per_session"] for one in found) / len(found)
    waves = max(one["sessions"] / one["at_once"] for one in found)
    return waves * each / max(one["seconds"] for one in found)


def prefix_share() -> float:
    """How much of a request is the beginning of the next one of the same session and role: what a prefix cache can reuse."""
    with tempfile.TemporaryDirectory() as folder, serving(keep=1, turns=LONG) as server:
        run_sessions(Path(folder), "hosted_vllm/m", server.base, 20, 4)
        bodies = server.stats()["bodies"]
    last: dict[tuple[str, str], str] = {}
    sent = reused = 0
    for one in bodies:
        text = json.dumps(one["body"]["messages"])[:-1]
        if earlier := last.get(key := (one["session"], one["role"])):
            sent += len(earlier)
            reused += next((n for n, (a, b) in enumerate(zip(earlier, text, strict=False)) if a != b), len(earlier))
        last[key] = text
    return reused / sent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency-ms", type=float, default=2_000)
    parser.add_argument("--n", type=int, default=WARM + 1_000, help="sessions for memory and CPU")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--model", help=argparse.SUPPRESS)
    parser.add_argument("--base", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--at-once", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.model:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run_sessions(Path(folder), wanted.model, wanted.base, wanted.count, wanted.at_once)))
        return
    latency_s = wanted.latency_ms / 1000
    with serving(latency_ms=wanted.latency_ms, turns=LONG) as server:
        one = results([apart("hosted_vllm/m", server.base, 128, 64)])
        four = results([apart("hosted_vllm/m", server.base, 64, 64) for _ in range(4)])
    with serving(turns=SHORT) as server:
        (vllm,) = results([apart("hosted_vllm/m", server.base, wanted.n, 16)])
        (openai,) = results([apart("openai/m", server.base, max(wanted.n // 10, 20), 16)])
    found = {
        "saturation": saturation(one, latency_s),
        "saturation_256_in_4_processes": saturation(four, latency_s),
        "cpu_s_per_user_turn": vllm["cpu_s_per_user_turn"],
        "cpu_s_per_user_turn_openai": openai["cpu_s_per_user_turn"],
        "rss_growth_mb": vllm["rss_growth_mb"],
        "sessions_per_hour": one[0]["sessions"] / one[0]["seconds"] * 3_600,
        "prefix_share": prefix_share(),
    }
    print("| | |\n|---|---|")
    for name, value in found.items():
        print(f"| {name} | {value:.3f} |")
    print(f"64 at once: {one[0]}\n4 x 64: {four}\n{wanted.n} sessions: {vllm}\nopenai: {openai}", file=sys.stderr)
    if wanted.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
