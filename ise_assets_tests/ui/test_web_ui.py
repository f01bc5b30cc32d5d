"""The web UI as people use it: the real command, a real browser; by hand first, then by itself."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ise_assets.intent.models import DOMAINS, Persona
from ise_assets.intent.sampler import Frame, sample_frame
from ise_assets.settings import PROJECT, Settings
from ise_assets.warehouse import Warehouse
from ise_assets_tests.pipeline import Family, Home, person

ASSETS = (
    "persona_pool",
    "task_catalog",
    "intent_pool",
    "intent_embeddings",
    "deduped_pool",
    "diversity_report",
    "pool_diversity",
    "simulated_dialogues",
    "executed_traces",
    "sft_split",
)
CHAIN = tuple(name for name in ASSETS if name not in ("persona_pool", "task_catalog", "pool_diversity"))
DOMAIN = "file-io"
PATIENCE_S = 900.0
"""For what takes a minute on two idle cores; a machine that is busy with other things gets its time."""

NOTICED_S = 60.0
T = TypeVar("T")


@dataclass
class Running:
    """`ise ui` in a process group of its own."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data

    def until(self, what: str, probe: Callable[[], T | None], seconds: float = PATIENCE_S) -> T:
        """The first true answer of `probe`; fails when it takes longer, or when the command has ended."""
        deadline = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None, f"`ise ui` ended with {self.process.returncode}"
            if found := probe():
                return found
            assert time.monotonic() < deadline, f"{seconds:.0f} s passed without: {what}"
            time.sleep(0.3)

    def answers(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.url}/server_info", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the oldest first; `tags` as a dictionary, `by` the sensor that asked for it, None for a person."""
        found = self.ask(
            "{ runsOrError(limit: 500) { ... on Runs { results { runId status creationTime startTime endTime"
            " tags { key value } assetSelection { path } } } } }"
        )["runsOrError"]["results"]
        for run in found:
            run["tags"] = {tag["key"]: tag["value"] for tag in run["tags"]}
            run["by"] = run["tags"].get("dagster/sensor_name")
            run["partition"] = run["tags"].get("dagster/partition")
            run["assets"] = {key["path"][-1] for key in run["assetSelection"] or ()}
        return sorted(found, key=lambda run: run["creationTime"])

    def finished(self, known: set[str], wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Runs that are not in `known` and are `wanted`; empty while one is under way. A failed one fails the test."""
        new = [run for run in self.runs() if run["runId"] not in known and wanted(run)]
        failed = [run for run in new if run["status"] in ("FAILURE", "CANCELED")]
        assert not failed, failed
        return new if all(run["status"] == "SUCCESS" for run in new) else []

    def sensor(self, name: str) -> str:
        sensors = self.ask(
            "query($s: RepositorySelector!) { sensorsOrError(repositorySelector: $s) { ... on Sensors"
            " { results { name sensorState { status } } } } }",
            s={"repositoryName": "__repository__", "repositoryLocationName": "ise_assets"},
        )["sensorsOrError"]["results"]
        return str({sensor["name"]: sensor["sensorState"]["status"] for sensor in sensors}[name])

    @property
    def known(self) -> set[str]:
        return {run["runId"] for run in self.runs()}

    @property
    def personas(self) -> Path:
        return self.home / "data" / "personas"

    def rows(self, query: str) -> list[dict[str, Any]]:
        return Warehouse(self.home / "data" / "ise.duckdb").rows(query)


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Running]:
    """The command on an instance of its own; ended with its whole group, its output shown when the test fails."""
    home = tmp_path / "home"
    wanted = {
        "ISE_HOME": str(home / "data"),
        "DAGSTER_HOME": str(home / "dagster"),
        "ISE_SHIPPED_PERSONAS": "false",
        "ISE_VENDI_FLOOR": "1.0",  # of one intent it is 1
        "NO_COLOR": "1",
    }
    (home / "data" / "personas").mkdir(parents=True)
    port = free_port()
    log = tmp_path / "ui.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ise_assets.cli", "ui", "--port", str(port)],
            cwd=PROJECT,
            env={name: value for name, value in os.environ.items() if not name.startswith("ISE_")} | wanted,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(home, port, process, log)
    try:
        running.until("an answer of the web server", running.answers, 180)
        yield running
    finally:
        if group_lives(process):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print("\n".join(log.read_text(errors="replace").splitlines()[-120:]))
        print("measured, seconds:", {name: round(value, 1) for name, value in running.measured.items()})


@dataclass
class Visitor:
    """A person before the screen: looks, clicks, takes a picture at each station."""

    ui: Running
    page: Page
    pictures: Path
    taken: int = 0

    def go(self, path: str) -> None:
        self.page.goto(self.ui.url + path)

    def picture(self, name: str) -> None:
        self.taken += 1
        self.page.screenshot(path=self.pictures / f"ui-{self.taken:02}-{name}.png")

    def sees(self, *texts: str | re.Pattern[str]) -> None:
        for text in texts:
            exact = isinstance(text, str)
            expect(self.page.get_by_text(text, exact=exact).filter(visible=True).first).to_be_visible()

    def button(self, name: str | re.Pattern[str], within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name).first

    def switch(self, sensor: str, to: str) -> None:
        """Turn a sensor on or off on its page."""
        self.go(f"/locations/ise_assets/sensors/{sensor}")
        box = self.page.get_by_role("checkbox").first
        expect(box).to_be_checked(checked=to == "STOPPED")
        box.locator("xpath=..").click()
        self.ui.until(f"{sensor} {to}", lambda: self.ui.sensor(sensor) == to, 60)
        expect(box).to_be_checked(checked=to == "RUNNING")

    def launch(self, path: str, partitions: str | None) -> None:
        """Materialize what `path` shows: no partition, one, or `all`."""
        self.go(path)
        self.button(re.compile("Materialize")).click()
        if partitions is None:
            return
        dialog = self.page.get_by_role("dialog")
        expect(dialog.get_by_text("Partition selection")).to_be_visible()
        if partitions == "all":
            # the list of partitions comes after the dialog; before that, `All` chooses none
            chosen = dialog.get_by_text(f"{len(DOMAINS)} partitions", exact=True)

            def all_chosen() -> bool:
                self.button(re.compile("^All$"), dialog).click()
                return chosen.is_visible()

            self.ui.until("all partitions chosen", all_chosen, 60)
        else:
            dialog.get_by_text("Select a partition").click()
            self.page.get_by_placeholder("Filter partitions").fill(partitions)
            self.page.get_by_text(partitions, exact=True).filter(visible=True).first.click()
            expect(dialog.get_by_text("1 partition", exact=True)).to_be_visible()
            self.page.keyboard.press("Escape")
        self.picture(f"dialog-{partitions}")
        self.button(re.compile("Launch"), dialog).click()


@pytest.fixture
def visitor(ui: Running, browser: Browser, tmp_path: Path) -> Iterator[Visitor]:
    pictures = Path(os.environ.get("ISE_TEST_ARTEFACTS") or tmp_path / "pictures")
    pictures.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(120_000)
    expect.set_options(timeout=120_000)
    someone = Visitor(ui, page, pictures)
    try:
        yield someone
    finally:
        someone.picture("last")
        page.close()


def test_a_person_makes_records_by_hand_and_a_dropped_list_makes_more_by_itself(ui: Running, visitor: Visitor) -> None:
    first, second = two_lists()
    the_catalogue_comes_by_itself(ui, visitor)
    for sensor in ("persona_lists", "carry_on"):
        visitor.switch(sensor, "STOPPED")
    write_jsonl(ui.personas / "first.jsonl", first)

    the_graph_shows_every_asset(visitor)
    one_run_by_hand(ui, visitor, "/assets/persona_pool", None, {"persona_pool"})
    one_run_by_hand(ui, visitor, "/assets/task_catalog", None, {"task_catalog"})
    one_run_by_hand(ui, visitor, "/assets/intent_pool", DOMAIN, {"intent_pool"})
    ten_domains_by_hand(ui, visitor)
    figures_and_checks_are_on_the_page(ui, visitor)
    assert {run["by"] for run in ui.runs()} == {None, "carry_on"}
    assert [run["assets"] for run in ui.runs() if run["by"]] == [{"task_catalog"}]

    before = intents(ui)
    assert set(before) == {frame_of(row).intent_id for row in first}
    for sensor in ("carry_on", "persona_lists"):
        visitor.switch(sensor, "RUNNING")
    a_dropped_list_goes_all_the_way(ui, visitor, second)
    after = intents(ui)
    assert {identity: after[identity] for identity in before} == before
    assert set(after) - set(before) == {frame_of(row).intent_id for row in second}
    with_records = {row["intent_id"] for row in ui.rows("SELECT intent_id FROM sft_split")}
    assert with_records == set(after)

    for sensor in ("carry_on", "persona_lists"):
        visitor.switch(sensor, "STOPPED")
    write_jsonl(ui.personas / "third.jsonl", crowd(16))
    a_failed_check_says_what_to_mend(ui, visitor)
    a_run_is_cancelled_and_the_next_one_goes_on(ui, visitor)
    the_plots_are_seen(visitor)

    visitor.page.goto("about:blank")
    ctrl_c_ends_it_all(ui)


def the_catalogue_comes_by_itself(ui: Running, visitor: Visitor) -> None:
    (run,) = ui.until(
        "task_catalog by itself", lambda: ui.finished(set(), lambda run: run["assets"] == {"task_catalog"})
    )
    assert run["by"] == "carry_on"
    visitor.go("/automation")
    visitor.sees("carry_on", "persona_lists")
    visitor.picture("automation")


def the_graph_shows_every_asset(visitor: Visitor) -> None:
    visitor.go("/asset-groups")
    visitor.sees("intent", "simulate", "execute", "train")
    visitor.page.mouse.click(1400, 300, button="right")
    visitor.page.get_by_role("menuitem", name="Expand all groups").click()
    for name in ASSETS:
        # the graph shortens a long name in the middle, and gives the whole one beside it
        visitor.sees(re.compile(f"^{name}$|^{name[:5]}.*…"))
    visitor.picture("graph")


def one_run_by_hand(ui: Running, visitor: Visitor, path: str, partition: str | None, assets: set[str]) -> None:
    known = ui.known
    visitor.launch(path, partition)
    (run,) = ui.until(f"{assets} succeeds", lambda: ui.finished(known, lambda run: run["assets"] == assets))
    assert run["by"] is None
    assert run["partition"] == partition
    visitor.go(f"/runs/{run['runId']}")
    visitor.sees("Success", *assets)
    visitor.picture(f"run-{'-'.join(assets)}")


def ten_domains_by_hand(ui: Running, visitor: Visitor) -> None:
    known, began = ui.known, time.monotonic()
    visitor.launch("/locations/ise_assets/jobs/all_assets", "all")

    def done() -> list[dict[str, Any]]:
        runs = ui.finished(known, lambda run: run["partition"] is not None)
        return runs if {run["partition"] for run in runs} == set(DOMAINS) else []

    runs = ui.until("ten runs", done)
    ui.measured["backfill of ten domains"] = time.monotonic() - began
    assert len(runs) == len(DOMAINS)
    assert all(run["by"] is None and run["assets"] == set(CHAIN) for run in runs)
    backfill = runs[0]["tags"]["dagster/backfill"]
    visitor.go(f"/runs/b/{backfill}")
    visitor.sees(re.compile(backfill), "all_assets", re.compile("^100% completed"))
    visitor.picture("backfill")


def figures_and_checks_are_on_the_page(ui: Running, visitor: Visitor) -> None:
    (told,) = ui.rows(
        f"SELECT count(*) AS traces, (SELECT count(*) FROM tool_calls WHERE domain = '{DOMAIN}') AS calls "
        f"FROM executed_traces WHERE domain = '{DOMAIN}'"
    )
    visitor.go(f"/assets/executed_traces?view=partitions&partition={DOMAIN}")
    visitor.sees("Materialized")
    for name, value in {**told, "dagster.partition_row_count": told["traces"]}.items():
        expect(visitor.page.get_by_role("row", name=re.compile(rf"^{name}\s+{value}\b"))).to_be_visible()
    visitor.picture("figures")
    visitor.go("/assets/executed_traces?view=checks")
    for check in ("accepted_enough", "calls_unique", "failures_labelled"):
        visitor.sees(check)
    expect(visitor.page.get_by_text("Succeeded", exact=True)).to_have_count(3)
    visitor.sees("Passed", re.compile(r"\d+ of \d+ sessions accepted and reproduced: 100.0%"))
    visitor.picture("checks")
    visitor.go("/assets/executed_traces")
    total = ui.rows("SELECT count(*) AS n FROM executed_traces")[0]["n"]
    visitor.sees("Row count", "Columns", str(total), "dialogue_id", re.compile("Every tool call run again"))
    visitor.picture("asset")
    visitor.go(f"/assets/simulated_dialogues?view=partitions&partition={DOMAIN}")
    visitor.page.get_by_text("[Show Markdown]").first.click()
    session = visitor.page.get_by_role("dialog")
    expect(session.get_by_text("user:").first).to_be_visible()
    expect(session.locator("strong").first).to_be_visible()
    visitor.picture("session")


def a_dropped_list_goes_all_the_way(ui: Running, visitor: Visitor, rows: list[dict[str, Any]]) -> None:
    known, dropped = ui.known, time.time()
    write_csv(ui.personas / "second.csv", rows)

    def taken_in() -> dict[str, Any] | None:
        return next((run for run in ui.runs() if run["runId"] not in known and run["by"] == "persona_lists"), None)

    run = ui.until("a run for the dropped list", taken_in)
    ui.measured["from the drop to the request of persona_pool"] = run["creationTime"] - dropped
    (run,) = ui.until("the list is in", lambda: ui.finished(known, lambda run: run["by"] == "persona_lists"))
    ui.measured["from the drop to the start of persona_pool"] = run["startTime"] - dropped
    ui.measured["from the drop to the personas in the pool"] = run["endTime"] - dropped
    assert run["assets"] == {"persona_pool"}
    assert ui.measured["from the drop to the request of persona_pool"] < NOTICED_S

    def followed() -> list[dict[str, Any]]:
        runs = ui.finished(known, lambda run: run["by"] == "carry_on" and run["creationTime"] > dropped)
        chains = [run for run in runs if run["partition"]]
        through = {run["partition"] for run in chains if "sft_split" in run["assets"]} == set(DOMAINS)
        reported = any(run["assets"] == {"pool_diversity"} for run in runs)
        return runs if through and reported else []

    runs = ui.until("the new list is through sft_split in all domains", followed)
    ui.measured["from the drop to the last record"] = (
        max(run["endTime"] for run in runs if "sft_split" in run["assets"]) - dropped
    )
    ui.measured["runs for one dropped list"] = 1 + len(runs)
    assert sum(run["partition"] is not None for run in runs) == len(DOMAINS)
    assert len(runs) <= len(DOMAINS) + 5
    visitor.go("/runs")
    visitor.sees("Manually launched", "persona_lists", "carry_on", re.compile(r"persona_lists: second\.csv"))
    visitor.picture("by-itself")
    visitor.go("/assets/pool_diversity")
    visitor.sees("Row count")
    visitor.picture("pool-diversity")


def a_failed_check_says_what_to_mend(ui: Running, visitor: Visitor) -> None:
    """From the list of assets to the file, the line and the remedy; with the line mended, the check passes."""
    third = ui.personas / "third.jsonl"
    whole = third.read_text()
    third.write_text(whole + json.dumps({**person(0), "role": 7}) + "\n")
    one_run_by_hand(ui, visitor, "/assets/persona_pool", None, {"persona_pool"})
    visitor.go("/assets/persona_pool?view=checks")
    visitor.sees("every_row_taken", "Failed")
    visitor.page.get_by_text("every_row_taken", exact=True).first.click()
    visitor.sees(
        re.compile(r"^1 row was left out, the first: third\.jsonl, line 17: role must be text.* Remedy: mend ")
    )
    visitor.picture("failed-check")
    third.write_text(whole)
    one_run_by_hand(ui, visitor, "/assets/persona_pool", None, {"persona_pool"})
    visitor.go("/assets/persona_pool?view=checks")
    visitor.sees("no row of any list was left out")


def a_run_is_cancelled_and_the_next_one_goes_on(ui: Running, visitor: Visitor) -> None:
    known, standing = ui.known, Family.of(ui.process.pid)
    done = {row["id"] for row in sessions(ui)}
    visitor.launch("/locations/ise_assets/jobs/all_assets", DOMAIN)
    ui.until("some sessions", lambda: len(Home(ui.home).journaled("simulated_dialogues", DOMAIN)) >= 2)
    (run,) = (run for run in ui.runs() if run["runId"] not in known)
    visitor.go(f"/runs/{run['runId']}")
    visitor.button("Terminate").click()
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog.get_by_text("1 run will be terminated")).to_be_visible()
    visitor.picture("terminate")
    everybody, clicked = Family.of(ui.process.pid), time.monotonic()
    visitor.button(re.compile("Terminate 1 run"), dialog).click()
    working = Family(everybody.members - standing.members, everybody.namespaces)
    assert working.namespaces, "no workspace was open when the run was cancelled"
    ui.until("CANCELED", lambda: {one["runId"]: one["status"] for one in ui.runs()}[run["runId"]] == "CANCELED", 60)
    ui.until("nothing of the run is left", lambda: not working.left(), 60)
    ui.measured["from the click to a cancelled run of which nothing is left"] = time.monotonic() - clicked
    visitor.go(f"/runs/{run['runId']}")
    visitor.sees("Canceled")
    visitor.picture("canceled")

    kept = sessions(ui)
    assert 2 <= len(kept) - len(done) < 16
    known = ui.known
    visitor.launch("/locations/ise_assets/jobs/all_assets", DOMAIN)
    ui.until("the run after it", lambda: ui.finished(known, lambda run: run["partition"] == DOMAIN))
    after = sessions(ui)
    assert [row for row in after if row in kept] == kept  # what was finished was not run again
    assert len(after) == len(done) + 16


def the_plots_are_seen(visitor: Visitor) -> None:
    for path in (f"/assets/diversity_report?view=partitions&partition={DOMAIN}", "/assets/pool_diversity?view=events"):
        visitor.go(path)
        picture = visitor.page.get_by_role("row", name=re.compile("^picture"))
        picture.get_by_text("[Show Markdown]").first.click()
        plot = visitor.page.get_by_role("dialog").locator("img").first
        expect(plot).to_be_visible()
        width = plot.evaluate("image => image.decode().then(() => image.naturalWidth)")
        assert width > 300
        visitor.picture(f"plot-{path.split('/')[2].split('?')[0]}")


def sessions(ui: Running) -> list[dict[str, Any]]:
    return ui.rows("SELECT id, run_id, written_at FROM simulated_dialogues ORDER BY id")


def ctrl_c_ends_it_all(ui: Running) -> None:
    assert f"http://127.0.0.1:{ui.port}" in ui.log.read_text(errors="replace")
    os.killpg(ui.process.pid, signal.SIGINT)  # as a terminal does
    ui.process.wait(PATIENCE_S)
    deadline = time.monotonic() + 60
    while group_lives(ui.process):
        assert time.monotonic() < deadline, "Ctrl-C left processes behind"
        time.sleep(0.2)


def intents(ui: Running) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in ui.rows("SELECT * FROM intent_pool ORDER BY id")}


def group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def frame_of(row: dict[str, Any]) -> Frame:
    """What the pipeline will draw for this persona."""
    return sample_frame(Settings.model_fields["seed"].default, Persona(**row, persona_list="any").id, 0)


def two_lists() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The persons with the shortest sessions: one per domain and one more, then two for other domains."""
    by_domain: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(map(person, range(60)), key=lambda row: frame_of(row).task_count):
        by_domain.setdefault(frame_of(row).domains[0], []).append(row)
    assert set(by_domain) == set(DOMAINS)
    first = [by_domain[domain][0] for domain in DOMAINS] + [by_domain[DOMAIN][1]]
    return first, [by_domain[DOMAIN][2], by_domain["multimedia"][1]]


def crowd(count: int) -> list[dict[str, Any]]:
    """So many others, all for `DOMAIN`."""
    others = (person(number) for number in range(60, 1000))
    return list(islice((row for row in others if frame_of(row).domains[0] == DOMAIN), count))


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    part = path.with_suffix(".part")
    with open(part, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "expertise": ";".join(row["expertise"])} for row in rows)
    part.replace(path)
