"""Writers that wait for their turn and are served by another: what they want is written once, whoever is killed meanwhile."""

from __future__ import annotations

import fcntl
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ise_assets.settings import PROJECT
from ise_assets.warehouse import Replacement, Warehouse, file, rows_to_arrow, schema, waiting
from ise_assets.warehouse.rows import replace, together
from ise_assets_tests.pipeline import until
from ise_assets_tests.test_warehouse import kept

WRITERS = 8


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path / "ise.duckdb")
    made.write(lambda connection: None)
    return made


def room(warehouse: Warehouse) -> Path:
    return warehouse.path.with_name("ise.duckdb.waiting")


def pool(rows: Sequence[dict[str, Any]]) -> Replacement:
    return Replacement.of("deduped_pool", rows, ["domain"])


def found(warehouse: Warehouse) -> list[tuple[str, str]]:
    rows = warehouse.rows("SELECT domain, intent_id FROM deduped_pool ORDER BY ALL")
    return [(row["domain"], row["intent_id"]) for row in rows]


@contextmanager
def all_waiting(warehouse: Warehouse, *writes: Callable[[], None], others: int = 0) -> Iterator[list[Future[None]]]:
    """The writes under way in as many threads, none of which gets its turn before the end of the block; `others` tickets are there."""
    with ThreadPoolExecutor(len(writes)) as threads:
        with warehouse.store.locked():  # type: ignore[attr-defined]
            running = [threads.submit(write) for write in writes]
            until(lambda: len(list(room(warehouse).glob("*.ticket"))) == len(writes) + others, 30)
            yield running
        for one in running:
            one.exception(60)


def writes(warehouse: Warehouse) -> list[Callable[[], None]]:
    return [lambda n=n: warehouse.replace(pool(kept(f"d{n}", f"{n}-a", f"{n}-b"))) for n in range(WRITERS)]  # type: ignore[misc]


EXPECTED = [(f"d{n}", f"{n}-{item}") for n in range(WRITERS) for item in "ab"]
_NAMES = st.sampled_from([None, "a", "b", "c", "d"])
_CHANGE = st.tuples(
    st.sampled_from(["tool_calls", "executed_traces"]),
    st.lists(st.tuples(_NAMES, st.integers(0, 9)), max_size=4),
    st.sampled_from([("dialogue_id",), ("dialogue_id", "number")]),
    st.none() | st.lists(_NAMES, max_size=3),
)


@examples(deadline=None)
@given(st.lists(st.lists(_CHANGE, max_size=3), max_size=5))
def test_what_is_written_together_is_what_one_after_the_other_would_leave(writers: list[list[Any]]) -> None:
    def change(table: str, rows: list[Any], keys: tuple[str, ...], gone: list[Any] | None) -> Replacement:
        number = {"tool_calls": "call_index", "executed_traces": "failures"}[table]
        keys = tuple(number if key == "number" else key for key in keys)
        values = rows_to_arrow(table, [{"dialogue_id": name, number: n} for name, n in rows])
        values = values.select(["dialogue_id", number])
        instead_of = None if gone is None or len(keys) > 1 else pa.table({"dialogue_id": pa.array(gone, pa.string())})
        return Replacement(table, values, keys, instead_of)

    wanted = [[change(*one) for one in writer] for writer in writers]
    left = []
    with duckdb.connect() as connection:
        schema.migrate(connection, "memory")
        for changes in ([one for writer in wanted for one in writer], together(wanted)):
            connection.execute("BEGIN")
            for table in ("tool_calls", "executed_traces"):
                connection.execute(f"INSERT INTO {table} (dialogue_id) VALUES (NULL)")
            replace(connection, changes)
            both = "SELECT dialogue_id, call_index FROM tool_calls UNION ALL SELECT dialogue_id, 100 + failures FROM executed_traces"
            left.append(connection.execute(f"{both} ORDER BY ALL").fetchall())
            connection.execute("ROLLBACK")
    assert left[0] == left[1]


def test_keys_that_duckdb_and_arrow_compare_otherwise_are_written_one_after_the_other() -> None:
    for table, key, values in (
        ("diversity_report", "value", (pa.array([0.0]), pa.array([-0.0]))),
        ("diversity_report", "n", (pa.array(["1"]), pa.array(["01"]))),
        ("deduped_pool", "written_at", (pa.array(["2026-01-01"]), pa.array(["2026-01-01 00:00:00"]))),
    ):
        assert len(together([[Replacement(table, pa.table({key: one}), [key])] for one in values])) == 2


def test_partitions_that_do_not_touch_are_written_by_one_statement() -> None:
    (one,) = together([[pool(kept(f"d{n}", "a", "b"))] for n in range(WRITERS)])
    assert one.rows.num_rows == 2 * WRITERS
    again = [[pool(kept("d1", "a"))], [pool(kept("d2", "a"))], [pool(kept("d1", "b"))]]
    assert len(together(again)) == 3  # the order of the first and the last matters


def test_those_who_wait_are_served_in_one_transaction(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    others = waiting.WaitingRoom.others

    @contextmanager
    def counted(self: waiting.WaitingRoom, own: waiting.Ticket) -> Iterator[list[waiting.Ticket]]:
        with others(self, own) as tickets:
            turns.append(1 + len(tickets))
            yield tickets

    monkeypatch.setattr(waiting.WaitingRoom, "others", counted)
    with all_waiting(warehouse, *writes(warehouse)) as running:
        pass
    assert [one.exception() for one in running] == [None] * WRITERS
    assert turns == [WRITERS]
    assert found(warehouse) == EXPECTED
    assert list(room(warehouse).iterdir()) == []


def test_a_turn_takes_no_more_than_fits(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "TURN_BYTES", 6_000)  # a ticket of two rows is some 1,500 bytes
    opened: list[bool] = []
    original = file.FileStore._open
    monkeypatch.setattr(
        file.FileStore,
        "_open",
        lambda self, path, read_only: (opened.append(read_only), original(self, path, read_only))[1],
    )
    with all_waiting(warehouse, *writes(warehouse)):
        pass
    assert 1 < opened.count(False) < WRITERS
    assert found(warehouse) == EXPECTED


def test_writers_of_the_same_rows_leave_those_of_one_of_them(warehouse: Warehouse) -> None:
    both = [lambda n=n: warehouse.replace(pool(kept("d", f"{n}-a", f"{n}-b"))) for n in range(2)]  # type: ignore[misc]
    with all_waiting(warehouse, *both):
        pass
    assert found(warehouse) in ([("d", "0-a"), ("d", "0-b")], [("d", "1-a"), ("d", "1-b")])


def test_what_cannot_be_written_fails_its_own_writer_only(warehouse: Warehouse) -> None:
    bad = Replacement("deduped_pool", pa.table({"domain": ["x"], "written_at": ["no time"]}), ["domain"])
    unknown = Replacement("deduped_pool", pa.table({"domain": ["y"], "nothing": ["z"]}), ["domain"])
    with all_waiting(
        warehouse, *(lambda one=one: warehouse.replace(one) for one in (bad, unknown)), *writes(warehouse)
    ) as running:
        pass
    failed = [type(one.exception()) for one in running]
    assert failed == [duckdb.ConversionException, duckdb.BinderException, *[type(None)] * WRITERS]
    assert found(warehouse) == EXPECTED
    with pytest.raises(KeyError, match="nope"):
        warehouse.replace(Replacement("deduped_pool", pa.table({"domain": ["x"]}), ["nope"]))
    assert list(room(warehouse).iterdir()) == []


_DIES_WAITING = """
import os, signal, sys
from ise_assets_tests.test_waiting import *
with Warehouse(sys.argv[1]).store._room.ticket([pool(kept("dead", "a"))]):
    os.kill(os.getpid(), signal.SIGKILL)
"""
_DIES_SERVING = """
import os, signal, sys
from ise_assets_tests.test_waiting import *
warehouse, others = Warehouse(sys.argv[1]), waiting.WaitingRoom.others
def when_all_wait(self, own):
    until(lambda: len(list(room(warehouse).glob("*.ticket"))) == WRITERS + 1, 30)
    return others(self, own)
waiting.WaitingRoom.others = when_all_wait
waiting.Ticket.serve = lambda self: os.kill(os.getpid(), signal.SIGKILL)  # committed, and nobody told
warehouse.replace(pool(kept("dead", "a")))
"""


def test_a_dead_writers_ticket_is_thrown_away(warehouse: Warehouse) -> None:
    killed = subprocess.run([sys.executable, "-c", _DIES_WAITING, str(warehouse.path)], cwd=PROJECT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(room(warehouse).iterdir())) == 1
    (room(warehouse) / "1-1-1.part").write_bytes(b"cut short")
    warehouse.replace(pool(kept("d", "a")))
    assert found(warehouse) == [("d", "a")]
    assert list(room(warehouse).iterdir()) == []


def test_one_who_dies_after_the_commit_costs_nobody_anything(warehouse: Warehouse) -> None:
    dying = subprocess.Popen([sys.executable, "-c", _DIES_SERVING, str(warehouse.path)], cwd=PROJECT)
    until(lambda: len(list(room(warehouse).glob("*.ticket"))) == 1, 30)
    with ThreadPoolExecutor(WRITERS) as threads:
        running = [threads.submit(write) for write in writes(warehouse)]
    assert [one.exception() for one in running] == [None] * WRITERS
    assert dying.wait(30) == -signal.SIGKILL
    assert found(warehouse) == sorted([*EXPECTED, ("dead", "a")])


@pytest.mark.parametrize("made_again", [True, False])
def test_one_whose_ticket_is_lost_writes_itself(warehouse: Warehouse, made_again: bool) -> None:
    with all_waiting(warehouse, *writes(warehouse)) as running:
        shutil.rmtree(room(warehouse))
        if made_again:
            room(warehouse).mkdir()
    assert [one.exception() for one in running] == [None] * WRITERS
    assert found(warehouse) == EXPECTED


def test_what_is_no_ticket_or_none_that_can_be_read_is_passed_by(warehouse: Warehouse) -> None:
    room(warehouse).mkdir()
    (room(warehouse) / "0-folder.ticket").mkdir()
    (room(warehouse) / "0-loop.ticket").symlink_to("0-loop.ticket")
    with (room(warehouse) / "0-of-another-version.ticket").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b'{"version": 9}\n')
        other.flush()
        with all_waiting(warehouse, *writes(warehouse), others=3) as running:
            pass
    assert [one.exception() for one in running] == [None] * WRITERS
    assert found(warehouse) == EXPECTED


def test_without_a_place_for_tickets_each_writes_alone(warehouse: Warehouse) -> None:
    room(warehouse).write_text("in the way")
    for write in writes(warehouse):
        write()
    assert found(warehouse) == EXPECTED


def test_many_dead_writers_cost_no_descriptors(warehouse: Warehouse) -> None:
    room(warehouse).mkdir()
    for number in range(400):
        (room(warehouse) / f"{number}.ticket").write_bytes(b"of a dead writer")
    program = """
import resource, sys
from ise_assets_tests.test_waiting import *
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
Warehouse(sys.argv[1]).replace(pool(kept("d", "a")))
"""
    subprocess.run([sys.executable, "-c", program, str(warehouse.path)], cwd=PROJECT, check=True)
    assert found(warehouse) == [("d", "a")]
    assert list(room(warehouse).iterdir()) == []


def test_a_large_one_is_written_without_a_ticket(warehouse: Warehouse) -> None:
    warehouse.replace(pool(kept("d", *("x" * 200_000 + str(n) for n in range(90)))))
    assert not room(warehouse).exists()
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == 90


_WRITES_UNTIL_KILLED = """
import sys
from ise_assets_tests.test_waiting import *
warehouse, number = Warehouse(sys.argv[1]), sys.argv[2]
for generation in range(int(sys.argv[3]), 10**9):
    warehouse.replace(pool(kept(f"d{number}", *(f"{number}-{n}" for n in range(40)), run_id=str(generation))))
    print(generation, flush=True)  # promised from here on
"""


@pytest.mark.parametrize("kills", [12, pytest.param(200, marks=pytest.mark.long)])
def test_what_was_promised_is_there_whoever_is_killed_when(warehouse: Warehouse, kills: int) -> None:
    rng = random.Random(5)
    promised = dict.fromkeys(range(4), -1)

    def begin(number: int) -> subprocess.Popen[str]:
        arguments = [str(warehouse.path), str(number), str(promised[number] + 1)]
        return subprocess.Popen(
            [sys.executable, "-c", _WRITES_UNTIL_KILLED, *arguments], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )

    def end(number: int) -> None:
        running[number].kill()
        told, _ = running[number].communicate()
        promised[number] = max([promised[number], *(int(line) for line in told.split())])

    running = {number: begin(number) for number in promised}
    until(lambda: warehouse.scalar("SELECT count(DISTINCT domain) FROM deduped_pool") == len(running), 60, 0.1)
    for _ in range(kills):
        time.sleep(rng.uniform(0.05, 0.4))
        number = rng.randrange(len(running))
        end(number)
        running[number] = begin(number)
        rows = warehouse.rows(
            "SELECT domain, count(*) AS n, count(DISTINCT run_id) AS runs FROM deduped_pool GROUP BY 1"
        )
        assert {(row["n"], row["runs"]) for row in rows} == {(40, 1)}
    for number in running:
        end(number)
    rows = warehouse.rows(
        "SELECT domain, any_value(run_id) AS run, count(*) AS n FROM deduped_pool GROUP BY 1 ORDER BY 1"
    )
    assert [row["n"] for row in rows] == [40] * len(promised)
    for number, row in enumerate(rows):
        assert int(row["run"]) in (promised[number], promised[number] + 1)  # the one in flight may have been written
    warehouse.replace(pool(kept("d", "a")))
    assert list(room(warehouse).iterdir()) == []


_RUNS_OUT_OF_ROOM = """
import hashlib, resource, sys
from ise_assets_tests.test_waiting import *
from ise_assets.warehouse import WarehouseError
warehouse = Warehouse(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (warehouse.path.stat().st_size + 100_000,) * 2)
for size in (100, 400, 1_600, 6_400):
    try:
        warehouse.replace(pool(kept(f"d{size}", *(hashlib.sha512(str(n).encode()).hexdigest() for n in range(size)))))
    except WarehouseError as error:
        assert "ise.duckdb cannot be opened or written" in str(error), error
        sys.exit(7)
"""


def test_a_disk_without_room_is_told_and_costs_nothing_that_was_written(warehouse: Warehouse) -> None:
    done = subprocess.run([sys.executable, "-c", _RUNS_OUT_OF_ROOM, str(warehouse.path)], cwd=PROJECT, check=False)
    assert done.returncode == 7
    rows = warehouse.rows("SELECT domain, count(*) AS n FROM deduped_pool GROUP BY 1")
    assert rows and all(row["domain"] == f"d{row['n']}" for row in rows)
    warehouse.replace(pool(kept("d", "a")))
    assert list(room(warehouse).iterdir()) == []
