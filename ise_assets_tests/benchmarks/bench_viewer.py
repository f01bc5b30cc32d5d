"""How fast the viewer's pages come, as a browser gets them.

    .venv/bin/python -m ise_assets_tests.benchmarks.bench_viewer --n 23132 --json

The pages are served by the real server in a process of its own and fetched over loopback, one after the other, each at least 30 times.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path

from ise_assets.view.app import serve
from ise_assets.warehouse import Warehouse
from ise_assets_tests.benchmarks.corpus import make_corpus

PORT = 3931
ROUNDS = 30


def fetch(path: str) -> tuple[float, int]:
    """Milliseconds and bytes."""
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=60) as answer:
        body = answer.read()
    return (time.perf_counter() - began) * 1000, len(body)


def times(paths: list[str]) -> tuple[float, float, float, int]:
    """Median, p10, p90 in milliseconds; mean bytes."""
    found = [fetch(paths[number % len(paths)]) for number in range(max(ROUNDS, len(paths)))]
    spent = sorted(spent for spent, _ in found)
    deciles = statistics.quantiles(spent, n=10)
    return statistics.median(spent), deciles[0], deciles[-1], round(statistics.mean(size for _, size in found))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=23_132, help="sessions in the warehouse")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ise-bench-"))
    server = None
    try:
        warehouse: Warehouse = make_corpus(folder, wanted.n).warehouse
        rows = warehouse.rows("SELECT id FROM simulated_dialogues ORDER BY hash(id) LIMIT 40")
        (counts,) = warehouse.rows(
            "SELECT (SELECT count(*) FROM simulated_dialogues) AS sessions, (SELECT count(*) FROM tool_calls) AS calls"
        )
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(warehouse, "127.0.0.1", PORT))
        server.start()
        for _ in range(100):
            try:
                fetch("/")
                break
            except OSError:
                time.sleep(0.2)
        pages = {
            "first page": ["/"],
            "page 200": ["/?page=200"],
            "filtered by tool": ["/?tool=web_fetch"],
            "filtered by failure class, most failures first": ["/?failure=missing_path&sort=failures"],
            "filtered by persona and words": ["/?persona=manager&text=the"],
            "a session": [f"/session/{row['id']}" for row in rows],
        }
        size = warehouse.path.stat().st_size / 2**20
        print(f"{counts['sessions']:,} sessions, {counts['calls']:,} calls, {size:,.0f} MiB\n")
        print("| page | median, ms (p10-p90) | KiB |\n|---|---|---|")
        result: dict[str, float] = dict(counts)
        for name, paths in pages.items():
            middle, low, high, length = times(paths)
            print(f"| {name} | {middle:.0f} ({low:.0f}-{high:.0f}) | {length / 1024:.0f} |")
            result[name.replace(" ", "_") + "_ms"] = round(middle, 1)
        if wanted.json:
            print(json.dumps(result))
    finally:
        if server:
            server.kill()
            server.join()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
