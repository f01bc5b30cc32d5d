"""The `ise` command as a person uses it: right and wrong words, twice, two at once, interrupted, on a bad disk."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ise_assets import cli
from ise_assets.execute.backends.bubblewrap import find_binary
from ise_assets.intent.models import DOMAINS
from ise_assets.intent.personas import SHIPPED_LISTS, list_files
from ise_assets.settings import PROJECT
from ise_assets.warehouse import Warehouse
from ise_assets_tests.pipeline import Family, Home, Run, Start, cold, person, until, warm

DOMAIN = "file-io"
COMMAND = ("run", "--domains", DOMAIN)
FEW = {"ISE_INTENTS_PER_PERSONA": "3"}  # six people then have three intents in DOMAIN
PEOPLE = 6


@pytest.fixture(scope="module")
def ise() -> Iterator[Start]:
    """Starts the command out of a process that has done the imports."""
    with warm() as start:
        yield start


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A place where nothing has been run."""
    one = Home(tmp_path / "home", FEW)
    one.write_personas(PEOPLE)
    return one


@pytest.fixture(scope="module")
def finished(ise: Start, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Run]:
    """A place where a run has ended well, and that run."""
    home = Home(tmp_path_factory.mktemp("finished"), FEW)
    home.write_personas(PEOPLE)
    run = ise(home, COMMAND)
    assert run.wait() == 0, run.output
    return home, run


def rows(home: Home, table: str) -> list[dict[str, Any]]:
    return sorted(Warehouse(home.warehouse).rows(f"SELECT * FROM {table}"), key=str)


def complaint(run: Run) -> str:
    """The one message of a run that was refused; no traceback, nothing else."""
    assert run.wait() == 2, run.output
    assert "Traceback" not in run.output
    assert run.output.startswith("ise: ")
    return run.output


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (["--domains", "file-io,cooking"], {}, ["unknown domain cooking", *DOMAINS]),
        (["--domains", " , "], {}, ["--domains names no domain", *DOMAINS]),
        (["--agent-model", "nonsense/x"], {}, ["ISE_AGENT_MODEL=nonsense/x", "scripted/teacher", "anthropic/<model>"]),
        (["--user-model", "scripted/genius"], {}, ["ISE_USER_MODEL=scripted/genius", "valid: scripted/teacher"]),
        (["--intent-model", "openai/gpt-4o"], {}, ["ISE_INTENT_MODEL=openai/gpt-4o", "OPENAI_API_KEY is not set"]),
        ([], {"ISE_WORKSPACE_BACKEND": "bare"}, ["ISE_WORKSPACE_BACKEND", "'bare'", "valid: auto, bubblewrap"]),
        ([], {"ISE_SPLIT_PERCENT": "90,5"}, ["ISE_SPLIT_PERCENT", "sum to 100"]),
        (["--personas", "nowhere.jsonl"], {}, ["nowhere.jsonl: no such persona list"]),
        (["--intents", "nowhere.jsonl"], {}, ["nowhere.jsonl: no such file of intents"]),
    ],
)
def test_a_wrong_word_is_refused_before_any_work_with_what_is_valid(
    ise: Start, tmp_path: Path, arguments: list[str], settings: dict[str, str], words: list[str]
) -> None:
    home = Home(tmp_path / "home", settings)
    said = complaint(ise(home, ["run", *arguments]))
    assert [word for word in words if word not in said] == []
    assert not home.data.exists() and not (home.folder / "dagster").exists()


def test_a_list_that_could_not_be_taken_in_is_refused_before_it_is_copied(
    ise: Start, home: Home, tmp_path: Path
) -> None:
    before = sorted(path.name for path in (home.data / "personas").iterdir())
    for name, text, words in (
        ("list.jsonl", json.dumps(person(99)), ["exists and differs from", "rename"]),
        ("bad.jsonl", '{"name": 1}\n{', ["no good row in", "line 1", "line 2: broken JSON", "Remedy"]),
        ("people.txt", json.dumps(person(99)), ["no good row in", "save it as .jsonl"]),
        (".hidden.jsonl", json.dumps(person(99)), ["left out", "rename"]),
    ):
        (tmp_path / name).write_text(text)
        said = complaint(ise(home, [*COMMAND, "--personas", str(tmp_path / name)]))
        assert [word for word in words if word not in said] == []
    assert sorted(path.name for path in (home.data / "personas").iterdir()) == before
    assert not home.warehouse.exists()


def test_lists_of_all_formats_are_taken_in_and_their_bad_rows_told(ise: Start, tmp_path: Path) -> None:
    home = Home(tmp_path / "home", shipped_as_ever=True)  # who names lists means these alone
    (tmp_path / "a.jsonl").write_text(json.dumps(person(1)) + "\n" + json.dumps({**person(2), "role": 3}) + "\n")
    with open(tmp_path / "b.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(person(3)))
        writer.writeheader()
        writer.writerow({**person(3), "expertise": "trams;buses"})
    pq.write_table(pa.Table.from_pylist([person(4)]), tmp_path / "c.parquet")
    lists = [part for name in ("a.jsonl", "b.csv", "c.parquet") for part in ("--personas", str(tmp_path / name))]
    run = ise(home, ["run", "--domains", "web-extraction", *lists])
    assert run.wait() == 0, run.output
    found = Warehouse(home.warehouse).rows("SELECT name, persona_list FROM persona_pool ORDER BY name")
    assert [(row["name"], row["persona_list"]) for row in found] == [
        ("Person 1", "a.jsonl"),
        ("Person 3", "b.csv"),
        ("Person 4", "c.parquet"),
    ]
    assert "a.jsonl: 1 rows left out, 1 taken in" in run.output
    assert "line 2: role must be text, got a number" in run.output


def test_the_closing_table_shows_the_chosen_domain_alone_within_80_columns(finished: tuple[Home, Run]) -> None:
    home, run = finished
    lines = run.output.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("domain "))
    assert lines[head].split() == ["domain", *cli.HEADINGS.values(), "checks"]
    cells = lines[head + 2].split()
    assert cells[0] == DOMAIN and cells[1] == cells[5] == "3" and re.fullmatch(r"(\d+)/\1", cells[-1])
    assert "…" not in run.output and not any(name in run.output for name in DOMAINS if name != DOMAIN)
    # what is copied and pasted stands on a line of its own, whole
    assert any(line.endswith(str(home.data / "exports" / "sft")) for line in lines)
    assert any(re.search(r"ise show [0-9a-f]{16}$", line) for line in lines)


def test_the_closing_table_of_all_domains_fits_into_80_columns() -> None:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    counts = {(asset, domain): 2_345 for asset in cli.DOMAIN_ASSETS for domain in DOMAINS}
    console.print(cli._closing_table(counts, dict.fromkeys(DOMAINS, (12, 13)), DOMAINS))
    text = console.export_text()
    assert "…" not in text and "23450" in text
    assert all(any(line.startswith(domain) for line in text.splitlines()) for domain in DOMAINS)


def test_running_again_repeats_nothing(ise: Start, finished: tuple[Home, Run]) -> None:
    home, _ = finished
    tables = ("persona_pool", "intent_pool", "intent_embeddings", "deduped_pool", "simulated_dialogues", "tool_calls")
    tables += ("executed_traces", "llm_calls", "sft_split")
    before = {table: rows(home, table) for table in tables}
    again = ise(home, COMMAND)
    assert again.wait() == 0, again.output
    for table in tables:
        assert rows(home, table) == before[table], table  # times and run ids too: not one row was written again
    assert len(before["simulated_dialogues"]) == 3


def test_two_runs_at_once_share_the_work_and_double_nothing(ise: Start, home: Home) -> None:
    first, second = ise(home, COMMAND), ise(home, COMMAND)
    assert (first.wait(), second.wait()) == (0, 0), first.output + second.output
    for table, key in (("intent_pool", "id"), ("simulated_dialogues", "id"), ("executed_traces", "dialogue_id")):
        ids = [row[key] for row in rows(home, table)]
        assert len(ids) == len(set(ids)) == 3, table
    assert len(rows(home, "sft_split")) == 3
    calls = Warehouse(home.warehouse).rows("SELECT count(DISTINCT run_id) AS runs FROM llm_calls GROUP BY item_id")
    assert {row["runs"] for row in calls} == {1}  # no session was paid for twice
    assert home.runs("SUCCESS") == 6


def test_ctrl_c_ends_within_seconds_keeps_what_is_finished_and_leaves_no_workspace(ise: Start, home: Home) -> None:
    run = ise(home, COMMAND)
    until(lambda: len(home.journaled("simulated_dialogues", DOMAIN)) >= 1 or not run.alive(), 120)
    family = Family.of(run.pid)
    assert family.namespaces, "no workspace was open: " + run.output
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(20) == 130, run.output
    assert "interrupted. Finished work is kept; the same command goes on from there." in run.output
    assert "Traceback" not in run.output
    until(lambda: not family.left(), 5)
    kept = rows(home, "simulated_dialogues")
    assert kept
    assert home.runs("STARTED") == 0
    again = ise(home, COMMAND)
    assert again.wait() == 0, again.output
    now = rows(home, "simulated_dialogues")
    assert len(now) == 3 and [row for row in now if row in kept] == kept


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (("--ro-bind", "{data}", "{data}"), ["cannot be written to: Read-only file system", "export ISE_HOME="]),
        (("--size", str(2 << 20), "--tmpfs", "{data}"), ["MiB free for", "At least 64 MiB are needed"]),
    ],
)
def test_a_data_folder_that_takes_nothing_is_named_with_its_remedy(
    tmp_path: Path, mount: tuple[str, ...], words: list[str]
) -> None:
    home = Home(tmp_path / "home")
    home.data.mkdir(parents=True)
    bwrap = [str(find_binary()), "--dev-bind", "/", "/", *(part.format(data=home.data) for part in mount), "--"]
    command = [*bwrap, sys.executable, "-m", "ise_assets.cli", *COMMAND]
    done = subprocess.run(command, cwd=PROJECT, env=home.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert [word for word in words if word not in done.stderr] == []
    assert "Traceback" not in done.stderr and "Nothing was run" in done.stderr
    assert list(home.data.iterdir()) == []


def test_show_takes_the_beginning_of_an_id_and_says_what_is_wrong_with_others(
    ise: Start, finished: tuple[Home, Run], tmp_path: Path
) -> None:
    home, _ = finished
    ids = [row["id"] for row in rows(home, "simulated_dialogues")]
    good = ise(home, ["show", ids[0][:12]])
    assert good.wait() == 0
    assert ids[0] in good.output and "user, turn 1" in good.output and "accepted: True" in good.output
    assert "no dialogue 'zzz'" in complaint(ise(home, ["show", "zzz"]))
    several = complaint(ise(home, ["show", ""]))
    assert "3 dialogues begin with ''" in several and all(one in several for one in ids)
    nothing = Home(tmp_path / "nothing")
    assert "run `ise demo` or `ise run` first" in complaint(ise(nothing, ["show", "a"]))
    assert not nothing.data.exists()  # looking makes no warehouse


def test_doctor_names_everything_it_looked_at_and_its_exit_code_says_whether_all_is_well(
    ise: Start, home: Home
) -> None:
    well = ise(home, ["doctor"])
    code = well.wait()
    found = dict(re.findall(r"^(?:ok  |MEND) ([\w ]+): ()", well.output, re.MULTILINE))
    assert {"Python", "workspaces", "programs", "embedding model", "models", "data folder", "disk"} <= set(found)
    assert code == (1 if "MEND" in well.output else 0)
    ill = ise(Home(home.folder, {"ISE_AGENT_MODEL": "nonsense/x"}), ["doctor"])
    assert ill.wait() == 1
    assert "MEND models: ISE_AGENT_MODEL=nonsense/x" in ill.output and "Traceback" not in ill.output


@pytest.mark.parametrize(
    ("arguments", "environment", "wanted"),
    [
        ([], {}, 20),
        (["--personas-per-list", "3"], {}, 3),
        (["--personas-per-list", "0"], {}, 0),
        ([], {"ISE_SHIPPED_PERSONAS_PER_LIST": "5"}, 5),
        (["--personas-per-list", "2"], {"ISE_SHIPPED_PERSONAS_PER_LIST": "5"}, 2),
    ],
)
def test_the_demo_takes_some_personas_of_each_list(
    arguments: list[str], environment: dict[str, str], wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setenv("ISE_HOME", str(tmp_path))
    monkeypatch.setenv("ISE_SHIPPED_PERSONAS_PER_LIST", "")  # so that what the command sets is taken away again
    monkeypatch.delenv("ISE_SHIPPED_PERSONAS_PER_LIST")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("_require_models", "_require_workspace", "_show_one_live", "_closing"):
        monkeypatch.setattr(cli, name, lambda *_: None)
    monkeypatch.setattr(cli, "_run_pipeline", lambda settings, domains: seen.append(settings))
    done = CliRunner().invoke(cli.app, ["demo", *arguments])
    assert done.exit_code == 0, done.output
    assert [one.shipped_personas_per_list for one in seen] == [wanted]
    assert len(list_files(SHIPPED_LISTS)) * 20 == 200


def test_help_is_the_manual() -> None:
    for arguments in ([], ["run"], ["demo"], ["show"], ["catalog", "check"]):
        done = CliRunner().invoke(cli.app, [*arguments, "--help"])
        assert done.exit_code == 0 and "Usage" in done.output


def test_a_cold_start_works_like_the_warm_ones(home: Home) -> None:
    run = cold(home, ["run", "--domains", "cooking"])
    assert "unknown domain cooking" in complaint(run)


def test_the_warehouse_can_be_asked_and_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISE_HOME", str(tmp_path))
    monkeypatch.delenv("ISE_WAREHOUSE", raising=False)

    def ask(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli.app, ["sql", *arguments])
        return done.exit_code, done.output

    assert ask("SELECT 1")[0] == 2  # nothing was run yet
    warehouse = Warehouse(tmp_path / "ise.duckdb")
    rows = "INSERT INTO deduped_pool BY NAME SELECT '[red]' || n AS intent_id, 'file-io' AS domain FROM range(60) r(n)"
    warehouse.write(lambda connection: connection.execute(rows))
    code, text = ask("SELECT intent_id FROM deduped_pool ORDER BY intent_id")
    assert code == 0 and "[red]0" in text and "10 more rows" in text
    code, text = ask("SELECT domain, count(*) AS n FROM deduped_pool GROUP BY ALL", "--csv")
    assert code == 0 and text == '"domain","n"\n"file-io",60\n'
    for statement in ("DELETE FROM deduped_pool", "SELECT nonsense", "DROP TABLE deduped_pool"):
        assert ask(statement)[0] == 1, statement
    assert warehouse.scalar("SELECT count(*) FROM deduped_pool") == 60
