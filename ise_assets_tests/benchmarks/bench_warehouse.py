"""Ten processes that overwrite their partitions while readers poll: our warehouse against dagster-duckdb's IO manager, in one run.

    .venv/bin/python -m ise_assets_tests.benchmarks.bench_warehouse --seconds 300 --json
    .venv/bin/python -m ise_assets_tests.benchmarks.bench_warehouse --lake 'host=... dbname=... user=...'    the lake, too

A write replaces a partition of 200 rows by 200 new ones. Each kind of store has the same seconds; a reader asks for the rows of each partition ten
times a second and counts what fails and what is not whole (another number of rows than 200, or of two generations).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
from dagster._core.storage.db_io_manager import DbTypeHandler, TablePartitionDimension, TableSlice
from dagster_duckdb import DuckDBIOManager
from dagster_duckdb.io_manager import DuckDbClient

from ise_assets.intent.models import DOMAINS
from ise_assets.warehouse import Replacement, Warehouse

ROWS, READERS = 200, 2
TABLE = "deduped_pool"
PARTITIONS = dg.StaticPartitionsDefinition(list(DOMAINS))
ASKED = f"SELECT domain, count(*) AS n, count(DISTINCT run_id) AS runs FROM {TABLE} GROUP BY domain"
Write = Callable[[str, int], None]
Read = Callable[[], Sequence[tuple[str, int, int]]]


def partition(domain: str, generation: int) -> pd.DataFrame:
    """A partition's rows."""
    return pd.DataFrame(
        {
            "intent_id": [f"{domain}-{number}" for number in range(ROWS)],
            "domain": domain,
            "run_id": f"generation {generation}",
            "spec_hash": "s",
            "written_at": datetime.now(UTC),
        }
    )


class Frames(DbTypeHandler[pd.DataFrame]):
    """Pandas frames into tables, as dagster-duckdb-pandas does it."""

    def handle_output(
        self, context: dg.OutputContext, table_slice: TableSlice, obj: pd.DataFrame, connection: Any
    ) -> None:
        """Insert; the manager has deleted the partition before."""
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table_slice.schema}")
        name = f"{table_slice.schema}.{table_slice.table}"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM obj LIMIT 0")
        connection.execute(f"INSERT INTO {name} SELECT * FROM obj")

    def load_input(self, context: dg.InputContext, table_slice: TableSlice, connection: Any) -> pd.DataFrame:
        """A partition's rows."""
        frame: pd.DataFrame = connection.execute(DuckDbClient.get_select_statement(table_slice)).df()
        return frame

    @property
    def supported_types(self) -> Sequence[type[object]]:
        """Frames."""
        return [pd.DataFrame]


class Manager(DuckDBIOManager):
    """dagster-duckdb's IO manager for pandas frames."""

    @staticmethod
    def type_handlers() -> Sequence[DbTypeHandler[Any]]:
        """Frames."""
        return [Frames()]


def theirs(where: str) -> tuple[Write, Read]:
    """Write and read by dagster-duckdb's IO manager."""
    manager = Manager(database=where, schema="main").create_io_manager(dg.build_init_resource_context())

    def write(domain: str, generation: int) -> None:
        context = dg.build_output_context(
            asset_key=dg.AssetKey([TABLE]),
            partition_key=domain,
            asset_partitions_def=PARTITIONS,
            definition_metadata={"partition_expr": "domain"},
            resource_config={"database": where, "connection_config": {}},
        )
        manager.handle_output(context, partition(domain, generation))

    def read() -> Sequence[tuple[str, int, int]]:
        with DuckDbClient.connect(_Config(where), _SLICE) as connection:  # type: ignore[arg-type]
            return list(connection.execute(ASKED).fetchall())

    return write, read


class _Config:
    """What the client asks of a context."""

    def __init__(self, where: str) -> None:
        self.resource_config = {"database": where, "connection_config": {}}


_SLICE = TableSlice(TABLE, "main", partition_dimensions=[TablePartitionDimension("domain", list(DOMAINS))])


def ours(where: str) -> tuple[Write, Read]:
    """Write and read by the warehouse; `where` may be a lake's connection string and folder, with a newline between."""
    place, _, data = where.partition("\n")
    warehouse = Warehouse(place, Path(data) if data else None)

    def write(domain: str, generation: int) -> None:
        rows = pa.Table.from_pandas(partition(domain, generation), preserve_index=False)
        warehouse.replace(Replacement(TABLE, rows, ["domain", "intent_id"]))

    def read() -> Sequence[tuple[str, int, int]]:
        return [(row["domain"], row["n"], row["runs"]) for row in warehouse.rows(ASKED)]

    return write, read


KINDS = {"theirs": theirs, "ours": ours}


def writer(kind: str, where: str, domain: str, until: float, said: Any) -> None:
    """Overwrites its partition until the time is up."""
    write, _ = KINDS[kind](where)
    done = failed = 0
    while time.time() < until:
        try:
            write(domain, done)
            done += 1
        except (duckdb.Error, RuntimeError):
            failed += 1
    said.put(("writer", done, failed))


def reader(kind: str, where: str, until: float, said: Any) -> None:
    """Asks until the time is up."""
    _, read = KINDS[kind](where)
    done = failed = torn = 0
    while time.time() < until:
        try:
            torn += any((n, runs) != (ROWS, 1) for _, n, runs in read())
            done += 1
        except (duckdb.Error, RuntimeError):
            failed += 1
        time.sleep(0.1)
    said.put(("reader", done, failed, torn))


def measure(kind: str, where: str, seconds: float) -> dict[str, Any]:
    """Ten writers and two readers for so long."""
    write, _ = KINDS[kind](where)
    for domain in DOMAINS:
        write(domain, 0)
    spawn = multiprocessing.get_context("spawn")
    said = spawn.Queue()
    begin = time.time() + 15  # they import first
    processes = [
        *(spawn.Process(target=writer, args=(kind, where, domain, begin + seconds, said)) for domain in DOMAINS),
        *(spawn.Process(target=reader, args=(kind, where, begin + seconds, said)) for _ in range(READERS)),
    ]
    for process in processes:
        process.start()
    answers = [said.get() for _ in processes]
    for process in processes:
        process.join()
    writers = [one for one in answers if one[0] == "writer"]
    readers = [one for one in answers if one[0] == "reader"]
    return {
        "writes": sum(one[1] for one in writers),
        "failed_writes": sum(one[2] for one in writers),
        "reads": sum(one[1] for one in readers),
        "failed_reads": sum(one[2] for one in readers),
        "torn_reads": sum(one[3] for one in readers),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--lake", help="libpq connection string of an empty database")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "ours": measure("ours", f"{folder}/ours.duckdb", wanted.seconds),
            "theirs": measure("theirs", f"{folder}/theirs.duckdb", wanted.seconds),
        }
        if wanted.lake:
            found["lake"] = measure("ours", f"ducklake:postgres:{wanted.lake}\n{folder}/lake", wanted.seconds)
    print("| | " + " | ".join(found) + " |\n|---|" + "---|" * len(found))
    for name in found["ours"]:
        print(f"| {name} | " + " | ".join(f"{one[name]:,}" for one in found.values()) + " |")
    ratio = found["ours"]["writes"] / max(found["theirs"]["writes"], 1)
    print(f"{ratio:.1f} times the writes", file=sys.stderr)
    if wanted.json:
        print(json.dumps({**found, "ratio": ratio, "seconds": wanted.seconds}))


if __name__ == "__main__":
    main()
