"""What a workspace costs, on every backend that runs here.

    python -m ise_assets_tests.benchmarks.bench_workspace [--json] [--rounds 60] [--calls 10000]

Medians of `--rounds` with the 10th and 90th percentile. What is compared (bare subprocess, call, `docker exec`) takes turns
within one loop, so that a busy machine is busy for all of it. `--json` prints one object last, for a script to read.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ise_assets.execute.backends.bubblewrap import BubblewrapChannel
from ise_assets.execute.backends.docker import DockerChannel
from ise_assets.execute.models import BackendUnavailable
from ise_assets.execute.workspace import Backend, Limits, Workspace, open_backend

COMMAND = "echo done"
FILES = [(f"/home/user/project/folder{n % 10}/file{n}.txt", b"line of text\n" * 40, 0o644) for n in range(200)]


@dataclass(frozen=True)
class Spread:
    """Median, 10th and 90th percentile of some milliseconds."""

    p50: float
    p10: float
    p90: float

    def __str__(self) -> str:
        return f"{self.p50:.1f} ({self.p10:.1f}-{self.p90:.1f})"


def spread(milliseconds: list[float]) -> Spread:
    cuts = statistics.quantiles(milliseconds, n=10, method="inclusive")
    return Spread(statistics.median(milliseconds), cuts[0], cuts[-1])


async def took(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    made = work()
    if inspect.isawaitable(made):
        await made
    return (time.perf_counter() - began) * 1000


def bare() -> None:
    """The command on the host, without any isolation."""
    subprocess.run(["bash", "-c", COMMAND], capture_output=True, check=True)


def by_docker_exec(container: str) -> None:
    """The command as most systems run one in a container."""
    subprocess.run(["docker", "exec", container, "bash", "-c", COMMAND], capture_output=True, check=True)


def a_container() -> str | None:
    """A container with nothing but a sleeping process, for `docker exec`; None where Docker does not run."""
    try:
        backend = open_backend("docker")
    except BackendUnavailable:
        return None
    name = f"ise-bench-{os.getpid()}"
    image = getattr(backend, "image", "")
    subprocess.run(
        ["docker", "run", "-d", "--name", name, "--network", "none", image, "sleep", "3600"],
        capture_output=True,
        check=True,
    )
    return name


async def calls(backend: Backend, container: str | None, rounds: int) -> dict[str, Spread | None]:
    """A tool call, its overhead over the bare command, and `docker exec`, in turns."""
    times: dict[str, list[float]] = {"bare": [], "call": [], "exec": []}
    async with await Workspace.start(backend, Limits()) as workspace:
        for number in range(rounds + 3):
            one = {"bare": await took(bare), "call": await took(lambda: workspace.exec(COMMAND))}
            if container:
                one["exec"] = await took(lambda: by_docker_exec(container))
            for name, value in one.items():
                if number >= 3:
                    times[name].append(value)
    overhead = [call - plain for call, plain in zip(times["call"], times["bare"], strict=True)]
    measured = {**times, "overhead": overhead}
    return {name: spread(values) if values else None for name, values in measured.items()}


async def lives(backend: Backend, rounds: int) -> Spread:
    """Start, seed 200 files, stop."""

    async def one() -> None:
        async with await Workspace.start(backend, Limits()) as workspace:
            await workspace.put_files(FILES)

    await one()
    return spread([await took(one) for _ in range(rounds)])


async def at_once(backend: Backend, rounds: int, workspaces: int = 8) -> Spread:
    """A call in each of eight workspaces at the same time, until the last has answered."""
    opened = [await Workspace.start(backend, Limits()) for _ in range(workspaces)]
    try:
        return spread([await took(lambda: asyncio.gather(*(w.exec(COMMAND) for w in opened))) for _ in range(rounds)])
    finally:
        for workspace in opened:
            await workspace.stop()


def resident_mib(workspace: Workspace) -> float:
    """MiB that a live workspace holds, shared pages counted by share: all its processes, and Docker's client and shim."""
    channel = workspace._channel
    if isinstance(channel, BubblewrapChannel):
        pids = [channel.process.pid, *channel.descendants()]
    else:
        assert isinstance(channel, DockerChannel)
        told = subprocess.run(
            ["pgrep", "-f", f"containerd-shim.*{channel.container}"], capture_output=True, text=True, check=False
        )
        shims = [int(pid) for pid in told.stdout.split()]
        inside = [int(p) for shim in shims for p in Path(f"/proc/{shim}/task/{shim}/children").read_text().split()]
        pids = [channel.process.pid, *shims, *inside]
    return sum(_share_kib(pid) for pid in pids) / 1024


def _share_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


async def endurance(backend: Backend, count: int) -> tuple[float, float, Spread]:
    """MiB after 100 calls and after `count`, and a call's time over all of them."""
    times = []
    async with await Workspace.start(backend, Limits()) as workspace:
        for number in range(count):
            times.append(await took(lambda: workspace.exec("echo x > note; cat note")))
            if number == 99:
                early = resident_mib(workspace)
        return early, resident_mib(workspace), spread(times)


async def measure(name: str, container: str | None, rounds: int, count: int) -> dict[str, Any]:
    backend = open_backend(name)
    found = await calls(backend, container, rounds)
    early, late, steady = await endurance(backend, count)
    exec_, call, overhead = found["exec"], found["call"], found["overhead"]
    assert call and overhead
    return {
        "rows": {
            "bare subprocess, ms": found["bare"],
            "tool call, ms": call,
            "overhead of a call, ms": overhead,
            "`docker exec` of the same, ms": exec_ or "-",
            "start, seed 200 files, stop, ms": await lives(backend, max(50, rounds)),
            "8 workspaces, a call each at once, ms": await at_once(backend, rounds),
            f"memory of a live workspace, MiB, after 100 and {count:,} calls": f"{early:.1f}, {late:.1f}",
            f"a call over {count:,} calls, ms": steady,
        },
        "call_ms_p50": round(call.p50, 2),
        "overhead_ms_p50": round(overhead.p50, 2),
        "vs_docker_exec": round(exec_.p50 / call.p50, 1) if exec_ else None,
        "memory_mib": round(early, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--rounds", type=int, default=60, help="how often each thing is measured")
    parser.add_argument("--calls", type=int, default=10_000, help="calls in one workspace")
    wanted = parser.parse_args()
    container = a_container()
    results = {}
    try:
        for name in ("bubblewrap", "docker"):
            try:
                results[name] = asyncio.run(measure(name, container, wanted.rounds, wanted.calls))
            except BackendUnavailable as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
    finally:
        if container:
            subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=False)
    names = list(results)
    tables = {name: result.pop("rows") for name, result in results.items()}
    print("| median (p10-p90) | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for row in next(iter(tables.values()), {}):
        print(f"| {row} | " + " | ".join(str(tables[name][row]) for name in names) + " |")
    ratios = " | ".join(f"{results[name]['vs_docker_exec']}x" for name in names)
    print(f"| `docker exec` costs, times a call | {ratios} |")
    for name, result in results.items():
        result["start_ms_p50"] = round(tables[name]["start, seed 200 files, stop, ms"].p50, 1)
    if wanted.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
