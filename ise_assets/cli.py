"""The `ise` command: the same pipeline from a terminal, recording into the same Dagster instance as the UI."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ise_assets.intent.models import DOMAINS
from ise_assets.settings import Settings, SettingsError, load_settings
from ise_assets.stage import DOMAIN_ASSETS

if TYPE_CHECKING:
    from ise_assets.intent.asked import AskedFile
    from ise_assets.intent.personas import PersonaList

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
catalog_app = typer.Typer(no_args_is_help=True, help="Look at the scenarios and prove them.")
app.add_typer(catalog_app, name="catalog")
warehouse_app = typer.Typer(
    no_args_is_help=True, help="Move the warehouse between a file and a lake; keep a lake tidy."
)
app.add_typer(warehouse_app, name="warehouse")
console = Console()
errors = Console(stderr=True)

HEADINGS = dict(zip(DOMAIN_ASSETS, ("intents", "vectors", "kept", "report", "sessions", "traces", "SFT"), strict=True))
"""Of the closing table: the assets' own names do not fit into 80 columns."""
DEMO_PERSONAS_PER_LIST = 20
_PROJECT_FILES = ("workspace.yaml", "dagster.yaml")
_PROBLEMS_SHOWN = 5
_ROWS_SHOWN, _CELL_SHOWN = 50, 200
_INTERRUPTED = 130
_PROCESS_TAG = "ise/process"


@app.command()
def demo(
    personas_per_list: Annotated[
        int | None,
        typer.Option(
            min=0,
            show_default=str(DEMO_PERSONAS_PER_LIST),
            help="Personas taken of each shipped list; 0 takes all. A later run takes in the rest.",
        ),
    ] = None,
) -> None:
    """The main job on the shipped persona lists: one session to watch, then all ten domains into data/ise.duckdb."""
    settings = _settings()
    if personas_per_list is None and "shipped_personas_per_list" not in settings.model_fields_set:
        personas_per_list = DEMO_PERSONAS_PER_LIST
    if personas_per_list is not None:
        os.environ["ISE_SHIPPED_PERSONAS_PER_LIST"] = str(personas_per_list)
        settings = _settings()
    _require_models(settings)
    _require_home(settings)
    _require_workspace(settings)
    with _explained(settings):
        _introduce()
        _show_one_live(settings)
        _run_pipeline(settings, DOMAINS)
        _closing(settings, DOMAINS)


@app.command()
def run(
    domains: Annotated[str, typer.Option(help="Comma-separated domains; all ten by default.")] = ",".join(DOMAINS),
    personas: Annotated[
        list[Path] | None,
        typer.Option(
            help="A persona list (JSONL, CSV, Parquet) to take in; the shipped ones are left out then, unless ISE_SHIPPED_PERSONAS is set."
        ),
    ] = None,
    intents: Annotated[
        list[Path] | None,
        typer.Option(help="Intents of others (JSONL) to take in; they run without a seed, unverified."),
    ] = None,
    intents_per_persona: Annotated[int | None, typer.Option(min=1, help="Intents drawn for each persona.")] = None,
    intent_model: Annotated[str | None, typer.Option(help="litellm model that writes utterances.")] = None,
    user_model: Annotated[str | None, typer.Option(help="litellm model that plays the user.")] = None,
    agent_model: Annotated[str | None, typer.Option(help="litellm model that plays the agent.")] = None,
    rollouts: Annotated[int | None, typer.Option(min=1, help="Sessions per intent.")] = None,
    refresh: Annotated[bool, typer.Option(help="Also do again what is stale.")] = False,
) -> None:
    """Persona lists to SFT records for some domains; does what is missing, repeats nothing that is finished."""
    chosen = {
        "ISE_INTENTS_PER_PERSONA": intents_per_persona,
        "ISE_INTENT_MODEL": intent_model,
        "ISE_USER_MODEL": user_model,
        "ISE_AGENT_MODEL": agent_model,
        "ISE_ROLLOUTS": rollouts,
    }
    _choose(chosen)
    settings = _settings()
    if personas and "shipped_personas" not in settings.model_fields_set:
        _choose({"ISE_SHIPPED_PERSONAS": False})  # some 970 of them, each with sessions to be paid for
        settings = _settings()
    names = _named_domains(domains)
    _require_models(settings)
    _require_home(settings)
    incoming = _incoming(settings, personas or [], intents or [])
    _require_workspace(settings)
    with _explained(settings):
        for path, target in incoming.items():
            _adopt(path, target)
        _run_pipeline(settings, names, refresh=refresh)
        _closing(settings, names)
        _tell_stale(_count_stale(settings, names))


@app.command()
def plan(
    domains: Annotated[str, typer.Option(help="Comma-separated domains; all ten by default.")] = ",".join(DOMAINS),
    intents_per_persona: Annotated[int | None, typer.Option(min=1, help="Intents drawn for each persona.")] = None,
    user_model: Annotated[str | None, typer.Option(help="litellm model that plays the user.")] = None,
    agent_model: Annotated[str | None, typer.Option(help="litellm model that plays the agent.")] = None,
    rollouts: Annotated[int | None, typer.Option(min=1, help="Sessions per intent.")] = None,
) -> None:
    """What `ise run`, or a backfill, would do for the personas in the pool: intents, sessions, tokens, money, time. Calls no model."""
    from ise_assets.simulate.plan import project
    from ise_assets.stage import StageRun
    from ise_assets.warehouse import Warehouse

    _choose(
        {
            "ISE_INTENTS_PER_PERSONA": intents_per_persona,
            "ISE_USER_MODEL": user_model,
            "ISE_AGENT_MODEL": agent_model,
            "ISE_ROLLOUTS": rollouts,
        }
    )
    settings = _settings()
    names = _named_domains(domains)
    with _explained(settings):
        found = project(StageRun(Warehouse.of(settings), settings, "plan"), names)
    table = Table("domain", "intents to write", "sessions to run", box=box.SIMPLE)
    for one in found.domains:
        table.add_row(one.domain, f"{one.intents:,}", f"{one.sessions:,}")
    console.print(table)
    console.print(
        f"{found.sessions:,} sessions of {settings.user_model} (user) and {settings.agent_model} (agent), those of intents still to be "
        "written among them"
    )
    _tell_stale(found.stale)
    if found.calls_per_session is None:
        console.print("no session has run yet to say what one asks of a model; run a few first: ise demo")
        return
    sent, received = (
        found.sessions * (tokens or 0.0) for tokens in (found.sent_per_session, found.received_per_session)
    )
    console.print(
        f"tokens    {sent / 1e6:,.1f} million sent, {received / 1e6:,.1f} million received; "
        f"{found.calls_per_session:.0f} calls a session"
    )
    if found.usd is None:
        console.print(
            "cost      not known: name the models' prices in ISE_MODEL_PRICES (MODEL=SENT:RECEIVED per million tokens)"
        )
    else:
        console.print(
            f"cost      ${found.usd:,.2f}, ${found.usd_per_session or 0.0:.3f} a session; what a provider's cache spares is not counted"
        )
    if found.hours is None:
        console.print("time      not known until a session with these models has run")
    else:
        console.print(
            f"time      {found.hours:,.1f} hours at {found.at_once} sessions at once (ISE_MAX_CONCURRENT_SESSIONS)"
        )


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port of the web UI.")] = 3000) -> None:
    """Dagster's web UI and daemon on the same instance."""
    home = _dagster_home()
    console.print(f"Web UI at [bold]http://127.0.0.1:{port}[/] (instance in {home}); Ctrl-C ends it.")
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(_project() / "workspace.yaml"), "-h", "127.0.0.1"]
    settings = _settings()
    os.environ |= settings.places()  # the server runs in the project's folder
    os.chdir(_project())
    with _instance(home):
        pass
    os.execv(sys.executable, [*command, "-p", str(port)])


@app.command()
def view(
    port: Annotated[int, typer.Option(help="Port of the viewer.")] = 3030,
    host: Annotated[
        str, typer.Option(help="Address to listen at; anybody who reaches it may read all sessions.")
    ] = "127.0.0.1",
) -> None:
    """The session viewer: read-only web pages over the warehouse, while runs go on."""
    from ise_assets.view.app import serve
    from ise_assets.warehouse import Warehouse

    console.print(f"Sessions at [bold]http://{host}:{port}[/]; Ctrl-C ends it.")
    serve(Warehouse.of(_settings()), host, port)


@app.command("workspace-host")
def workspace_host(
    host: Annotated[str, typer.Option(help="Address to listen at; keep it in a private network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the workspace host.")] = 7070,
) -> None:
    """Start workspaces for runs on other machines and in containers, which prove that they know ISE_WORKSPACE_TOKEN."""
    import asyncio
    import logging

    from ise_assets.execute.host import WorkspaceHost
    from ise_assets.execute.models import BackendUnavailable
    from ise_assets.execute.workspace import open_backend

    settings = _settings()
    if not settings.workspace_token.get_secret_value():
        _stop("ISE_WORKSPACE_TOKEN is not set; make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'")
    if settings.workspace_backend == "remote":
        _stop(
            "ISE_WORKSPACE_BACKEND is remote here, and a workspace host starts them itself: bubblewrap, docker or auto"
        )
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        backend = open_backend(settings.workspace_backend)
    except BackendUnavailable as error:
        _stop(f"{error}\n`ise doctor` says more", 1)

    async def until_told() -> None:
        serving = asyncio.ensure_future(
            WorkspaceHost(backend, settings).serve(
                host,
                port,
                lambda found: console.print(
                    f"workspaces by {backend.name} at [bold]{host}:{found}[/], at most {settings.max_hosted_workspaces} at once"
                ),
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        with suppress(asyncio.CancelledError):
            await serving

    try:
        asyncio.run(until_told())
    except OSError as error:
        _stop(f"cannot listen at {host}:{port}: {error}", 1)


@app.command("sql")
def query(
    statement: Annotated[
        str, typer.Argument(help="A query, like: SELECT domain, count(*) FROM sft_split GROUP BY ALL")
    ],
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, all rows and whole values, instead of a table.")
    ] = False,
) -> None:
    """Ask the warehouse something, while runs go on. It only reads."""
    import duckdb

    from ise_assets.warehouse import Warehouse, WarehouseError

    warehouse = Warehouse.of(_settings())
    if not warehouse.exists():
        _stop(f"{warehouse.name} is not there; run `ise demo` or `ise run` first")
    try:
        found = warehouse.table(statement)
    except (duckdb.Error, WarehouseError) as error:
        _stop(str(error), 1)
    if csv:
        import pyarrow.csv

        pyarrow.csv.write_csv(found, sys.stdout.buffer)
        return
    table = Table(*found.column_names, box=box.SIMPLE)
    for row in found.slice(0, _ROWS_SHOWN).to_pylist():
        table.add_row(*(escape(_cell(value)) for value in row.values()))
    console.print(table)
    if found.num_rows > _ROWS_SHOWN:
        console.print(f"{found.num_rows - _ROWS_SHOWN:,} more rows; --csv prints all", style="dim")


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _CELL_SHOWN else text[: _CELL_SHOWN - 3] + "..."


@warehouse_app.command("copy")
def copy_tables(
    source: Annotated[str, typer.Argument(help="A DuckDB file, or ducklake:postgres:<connection string>.")],
    target: Annotated[str, typer.Argument(help="Where to; nothing may be in it yet.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the lake's Parquet files; ISE_WAREHOUSE_DATA or HOME/lake by default."),
    ] = None,
) -> None:
    """Copy all tables from a file to a lake or back, in one transaction, and verify counts and hashes."""
    from ise_assets.warehouse import Warehouse, WarehouseError
    from ise_assets.warehouse.copy import copy_warehouse

    settings = _settings()
    folder = data or settings.lake_data
    began = time.monotonic()
    try:
        origin = Warehouse(source, folder, settings.home)
        if not origin.exists():
            _stop(f"{origin.name} is not there")
        with console.status("reading") as status:
            copied = copy_warehouse(
                origin,
                Warehouse(target, folder, settings.home),
                lambda name, rows: status.update(f"{name}: {rows:,} rows"),
            )
    except WarehouseError as error:
        _stop(str(error), 1)
    table = Table("table", "rows", "hash", box=box.SIMPLE)
    for name, content in copied.items():
        table.add_row(name, f"{content.rows:,}", f"{content.digest:x}")
    console.print(table)
    console.print(f"copied in {time.monotonic() - began:.0f} s; counts and hashes are the same on both sides")


@warehouse_app.command()
def tidy(
    keep_days: Annotated[float, typer.Option(min=0, help="Days that snapshots and files out of use are kept.")] = 7,
) -> None:
    """Forget a lake's old snapshots, put its small files together, delete what nothing points to any more."""
    from ise_assets.warehouse import Warehouse, WarehouseError

    try:
        done = Warehouse.of(_settings()).tidy(timedelta(days=keep_days))
    except WarehouseError as error:
        _stop(str(error), 1)
    if done is None:
        console.print("The warehouse is a file; there is nothing to tidy.")
    else:
        console.print(
            f"{done.snapshots:,} snapshots forgotten, {done.rewritten:,} files written anew, {done.deleted:,} deleted"
        )


@app.command()
def doctor() -> None:
    """What is missing on this machine, and how to mend it."""
    from ise_assets.doctor import examine

    findings = examine(_settings())
    for finding in findings:
        console.print(
            f"[{'green' if finding.ok else 'red'}]{'ok  ' if finding.ok else 'MEND'}[/] {finding.name}: ", end=""
        )
        console.print(finding.what, markup=False, highlight=False)
        if not finding.ok:
            console.print(
                "\n".join("       " + line for line in finding.remedy.splitlines()), markup=False, highlight=False
            )
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def show(
    dialogue_id: Annotated[str, typer.Argument(help="A dialogue's id, or the beginning of one.")],
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Walk its training record back to the persona list; also by record id.")
    ] = False,
    tokens: Annotated[
        Path | None,
        typer.Option(help="A model's folder: show its training record as that model's tokens, coloured by the mask."),
    ] = None,
) -> None:
    """Print one session readably: who said what, what was called, what came back, what the checks found."""
    from ise_assets.simulate.show import print_session
    from ise_assets.train.formats import FormatError
    from ise_assets.train.show import print_provenance, print_tokens
    from ise_assets.warehouse import Warehouse, WarehouseError

    warehouse = Warehouse.of(_settings())
    try:
        if tokens:
            print_tokens(console, warehouse, dialogue_id, tokens)
        elif provenance:
            print_provenance(console, warehouse, dialogue_id)
        else:
            print_session(console, warehouse, dialogue_id)
    except (LookupError, FormatError, WarehouseError) as error:
        _stop(str(error))


@app.command()
def shell(
    dialogue_id: Annotated[str, typer.Argument(help="A dialogue's id, or the beginning of one.")],
    after: Annotated[
        int | None, typer.Option(min=-1, help="Stop after this call (from 0); -1 is the fresh seed.")
    ] = None,
) -> None:
    """A prompt in a fresh workspace, brought to a point of a recorded session. Nothing of it is recorded."""
    import asyncio

    from ise_assets.execute.models import WorkspaceError
    from ise_assets.execute.shell import load_session, run_shell
    from ise_assets.execute.workspace import open_backend
    from ise_assets.warehouse import Warehouse

    settings = _settings()
    _require_workspace(settings)
    try:
        session = load_session(Warehouse.of(settings), dialogue_id)
        backend = open_backend(settings.workspace_backend)
        asyncio.run(run_shell(backend, settings, session, after, input, _say))
    except (LookupError, WorkspaceError) as error:
        _stop(str(error))


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False)


@app.command()
def export(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Formats: openai, parquet, trl, llamafactory, atif, huggingface, inspect, tokenized, preference."
        ),
    ],
    to: Annotated[
        Path | None, typer.Option(help="Folder to write into; a folder of each format's name is made there.")
    ] = None,
    variant: Annotated[
        str, typer.Option(help="whole, single-turn (the first turn alone) or per-turn (a sample a turn).")
    ] = "whole",
    tokenizer: Annotated[
        Path | None, typer.Option(help="A model's folder with tokenizer and chat template, for tokenized.")
    ] = None,
) -> None:
    """Write the SFT records of all domains in other formats, from the warehouse."""
    from ise_assets.train.export import FORMATS, write_format, write_pairs
    from ise_assets.train.formats import FormatError
    from ise_assets.train.formats.tokenized import Tokenized
    from ise_assets.train.variants import VARIANTS
    from ise_assets.warehouse import Warehouse, WarehouseError

    settings = _settings()
    known = [*FORMATS, "tokenized", "preference"]
    if unknown := [name for name in names if name not in known]:
        _stop(f"unknown format {', '.join(unknown)}; valid: {', '.join(known)}")
    if variant not in VARIANTS:
        _stop(f"unknown variant {variant!r}; valid: {', '.join(VARIANTS)}")
    if "tokenized" in names and tokenizer is None:
        _stop("tokenized needs --tokenizer FOLDER: a model's folder with its tokenizer and chat template")
    warehouse = Warehouse.of(settings)
    if not warehouse.exists():
        _stop(f"{warehouse.name} is not there; run `ise demo` or `ise run` first")
    try:
        for name in dict.fromkeys(names):
            folder = (to or settings.exports_dir) / (name if variant == "whole" else f"{name}-{variant}")
            with console.status(f"{name} ..."):
                if name == "preference":
                    count, what, mask = write_pairs(warehouse, folder), "pairs", "none, a pair has no mask"
                else:
                    fmt = Tokenized(tokenizer) if name == "tokenized" and tokenizer else FORMATS[name]
                    count, what, mask = write_format(warehouse, fmt, folder, VARIANTS[variant]), "samples", fmt.mask
            console.print(f"{count:,} {what} as {name} in {folder}", markup=False, highlight=False)
            console.print(f"  train mask: {mask}", markup=False, highlight=False)
    except (FormatError, WarehouseError) as error:
        _stop(str(error), 1)


@catalog_app.command("check")
def catalog_check(
    names: Annotated[list[str] | None, typer.Argument(help="Scenarios; all by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of the parameters to try.")] = 3,
    compositions: Annotated[
        int | None, typer.Option(min=0, show_default="200 where no scenario is named", help="Drawn intents to solve.")
    ] = None,
) -> None:
    """Prove scenarios in real workspaces: checks, guards, slips, other ways, wrong ways; and that they bear each other."""
    from ise_assets.simulate.scripted.prove import main

    count = (0 if names else 200) if compositions is None else compositions
    raise typer.Exit(main([*(names or []), "--seeds", str(seeds), "--compositions", str(count)]))


@catalog_app.command("export")
def catalog_export(
    names: Annotated[list[str] | None, typer.Argument(help="Scenarios; all by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of the parameters: a task each.")] = 1,
    to: Annotated[Path | None, typer.Option(show_default="HOME/exports/harbor-tasks", help="Folder.")] = None,
) -> None:
    """Scenarios as Harbor task directories, each lived through once in a workspace: for evaluation and RL."""
    import asyncio

    from ise_assets.execute.models import WorkspaceError
    from ise_assets.execute.workspace import open_backend
    from ise_assets.intent.catalog import load_catalog
    from ise_assets.train.harbor.tasks import export_tasks

    settings = _settings()
    catalog = load_catalog()
    if unknown := [name for name in names or () if name not in catalog]:
        _stop(f"no such scenario: {', '.join(unknown)}")
    _require_workspace(settings)
    folder = (to or settings.exports_dir / "harbor-tasks").absolute()
    instances = [(catalog[name], seed) for name in names or catalog for seed in range(seeds)]
    try:
        asyncio.run(export_tasks(instances, folder, open_backend(settings.workspace_backend), settings))
    except WorkspaceError as error:
        _stop(str(error), 1)
    _say(f"{len(instances)} tasks in {folder}")


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        _stop(str(error))


def _stop(message: str, code: int = 2) -> NoReturn:
    errors.print("[bold red]ise:[/] " + escape(message), highlight=False, soft_wrap=True)
    raise typer.Exit(code)


@contextmanager
def _explained(settings: Settings) -> Iterator[None]:
    """Turns what ends a run from outside (Ctrl-C, a full disk, a locked file) into one message and an exit code."""
    from dagster._core.errors import DagsterExecutionInterruptedError
    from sqlalchemy.exc import SQLAlchemyError

    from ise_assets.warehouse import WarehouseError

    try:
        yield
    except (KeyboardInterrupt, DagsterExecutionInterruptedError):
        _stop("interrupted. Finished work is kept; the same command goes on from there.", _INTERRUPTED)
    except WarehouseError as error:
        _stop(str(error), 1)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        places = f"{settings.home.absolute()} (data) and {os.environ.get('DAGSTER_HOME')} (Dagster's history)"
        _stop(f"could not write: {cause}. Look at {places}; finished work is kept. `ise doctor` says more.", 1)


def _choose(chosen: Mapping[str, object]) -> None:
    """Options of the command line are settings like any other, for this process and what it starts."""
    os.environ.update({name: str(value) for name, value in chosen.items() if value is not None})


def _named_domains(domains: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in domains.split(",") if name.strip()))
    if unknown := [name for name in names if name not in DOMAINS]:
        _stop(f"unknown domain {', '.join(unknown)}; valid: {', '.join(DOMAINS)}")
    if not names:
        _stop(f"--domains names no domain; valid: {', '.join(DOMAINS)}")
    return names


def _require_workspace(settings: Settings) -> None:
    from ise_assets.execute.models import BackendUnavailable
    from ise_assets.execute.workspace import open_backend

    try:
        backend = open_backend(settings.workspace_backend)
    except BackendUnavailable as error:
        _stop(f"{error}\nRun `ise doctor` for what to do. Nothing was run; agents never get the bare host.")
    console.print(f"[dim]workspaces: {backend.name}[/]")


def _require_home(settings: Settings) -> None:
    from ise_assets.doctor import home_findings

    for finding in home_findings(settings):
        if not finding.ok:
            _stop(f"{finding.what}. {finding.remedy}\nNothing was run.")


def _require_models(settings: Settings) -> None:
    from ise_assets.llm import check_models
    from ise_assets.simulate.command import check_command
    from ise_assets.simulate.scripted.provider import register

    register()
    try:
        check_models(settings)
        check_command(settings)
    except SettingsError as error:
        _stop(str(error))


def _incoming(settings: Settings, personas: Sequence[Path], intents: Sequence[Path]) -> dict[Path, Path]:
    """Where in its watched folder each file goes; stops, before anything is written, at one that cannot go there."""
    from ise_assets.intent.asked import read_asked
    from ise_assets.intent.personas import read_persona_list

    return {
        **_into(settings.personas_dir, personas, "persona list", read_persona_list),
        **_into(settings.intents_dir, intents, "file of intents", read_asked),
    }


def _into(
    folder: Path, paths: Sequence[Path], what: str, read: Callable[[Path], PersonaList | AskedFile]
) -> dict[Path, Path]:
    from ise_assets.intent.personas import PersonaListError, claims_to_be_a_list

    targets: dict[Path, Path] = {}
    for path in paths:
        target = folder / path.name
        if not path.is_file():
            _stop(f"{path}: no such {what}")
        if not claims_to_be_a_list(path):
            _stop(f"{path}: files of such a name are left out as hidden, unfinished or a README; rename it")
        if target in targets.values():
            _stop(f"two files are called {path.name}; rename one of them")
        if target.exists() and target.read_bytes() != path.read_bytes():
            _stop(f"{target} exists and differs from {path}; rename one of them")
        try:
            found = read(path)
        except PersonaListError as error:
            _stop(str(error))
        lines = [
            f"  {'line ' + str(p.line) if p.line else 'file'}: {p.reason}. Remedy: {p.remedy}."
            for p in found.problems[:_PROBLEMS_SHOWN]
        ]
        if more := len(found.problems) - len(lines):
            lines.append(f"  and {more} more")
        if not found.rows_good:
            _stop("\n".join([f"no good row in {path}; nothing was taken in.", *lines]))
        if lines:
            told = f"{path}: {len(found.problems)} rows left out, {found.rows_good} taken in"
            errors.print("\n".join([told, *lines]), style="yellow", markup=False, highlight=False, soft_wrap=True)
        targets[path] = target
    return targets


def _adopt(path: Path, target: Path) -> None:
    """Copy a persona list into the watched folder, whole or not at all."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.copyfile(path, part)
    part.replace(target)


def _project() -> Path:
    """The folder of workspace.yaml: the working directory, or the checkout this package lies in."""
    from ise_assets.settings import PROJECT

    for folder in (Path.cwd(), PROJECT):
        if all((folder / name).is_file() for name in _PROJECT_FILES):
            return folder
    _stop(f"no {' and '.join(_PROJECT_FILES)} here ({Path.cwd()}); run this in the project's folder")


def _dagster_home() -> Path:
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    home = Path(os.environ.get("DAGSTER_HOME") or Path.cwd() / ".dagster").absolute()
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copyfile(_project() / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _introduce() -> None:
    console.rule("[bold]ISE: intent -> simulate -> execute")
    console.print(
        "No key, no model server: the scripted teacher plays user and agent. Its words are authored; the workspaces, the "
        "commands and their failures are real. First, one session live.\n"
    )


def _show_one_live(settings: Settings) -> None:
    from ise_assets.simulate.show import play_one

    play_one(console, settings)


def _run_pipeline(settings: Settings, domains: Sequence[str], refresh: bool = False) -> None:
    """Materialize every asset, domain by domain, in this process, into the instance that the UI shows."""
    home = _dagster_home()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    from ise_assets.definitions import defs
    from ise_assets.defs import stage

    definitions = defs()
    instance = _instance(home)
    batch = f"ise-run-{uuid.uuid4().hex[:8]}"
    began = time.monotonic()
    note = TextColumn("[dim]{task.fields[note]}")
    columns = (TextColumn("{task.description:<42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), note)
    with Progress(*columns, console=console) as progress:
        bars: dict[tuple[str, str | None], Any] = {}

        def told(asset: str, partition: str | None, done: int, total: int, what: str) -> None:
            if total == 0:
                return
            key = (asset, partition)
            if key not in bars:
                bars[key] = progress.add_task(f"  {asset} {partition or ''}", note="")
            so_far = what.partition(" (")[2].rstrip(")")  # what a stage puts in brackets: accepted so far, spent so far
            progress.update(bars[key], completed=done, total=total, visible=done < total, note=so_far)

        stage.listeners.append(told)
        overall = progress.add_task("[bold]domains", total=len(domains), note="")
        try:
            _materialize(definitions, instance, ["persona_pool", "task_catalog"], None, batch, refresh)
            for domain in domains:
                progress.update(overall, description=f"[bold]{domain}")
                _materialize(definitions, instance, DOMAIN_ASSETS, domain, batch, refresh)
                progress.advance(overall)
                if not console.is_terminal:  # where no bar is drawn
                    console.print(f"{domain}: done after {time.monotonic() - began:.0f} s")
            progress.update(overall, description="[bold]report of the whole pool")
            _materialize(definitions, instance, ["pool_diversity"], None, batch, refresh)
        finally:
            stage.listeners.remove(told)
    from ise_assets.warehouse import Warehouse

    snapshot = Warehouse.of(settings).publish_snapshot()
    console.print(f"[dim]done in {time.monotonic() - began:.0f} s; snapshot for notebooks: {snapshot}[/]")


def _instance(home: Path) -> Any:
    """The Dagster instance, its tables made by one process alone, without the runs of the dead."""
    import dagster as dg

    with open(home / ".ise.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        instance = dg.DagsterInstance.get()
        instance.event_log_storage.get_pool_limits()
        _clear_away_the_dead(instance)
    return instance


def _clear_away_the_dead(instance: Any) -> None:
    """Cancel the runs of `ise` processes that were killed.

    Dagster would show them as running for ever, and they would hold their slots of its pools and its queue: after two kills
    in an asset of the pool `sessions` the next run would wait for good.
    """
    import dagster as dg

    status = dg.DagsterRunStatus
    unfinished = dg.RunsFilter(statuses=[status.NOT_STARTED, status.STARTING, status.STARTED, status.CANCELING])
    for run in instance.get_runs(unfinished):
        owner = run.tags.get(_PROCESS_TAG, "")
        machine, _, pid = owner.rpartition(":")[0].rpartition(":")
        if owner and machine == _machine_name() and owner != _process_name(int(pid)):
            instance.report_run_canceled(
                run, message=f"its process ({pid}) was killed; the next run goes on from there"
            )
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _process_name(pid: int) -> str:
    """`machine:pid:start time`, which no later process shares."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else f"{_machine_name()}:{pid}:{fields[18]}"


def _machine_name() -> str:
    """This machine since its last start; containers have host names of their own, and pids."""
    return f"{socket.gethostname()}/{Path('/proc/sys/kernel/random/boot_id').read_text()[:8]}"


def _materialize(
    definitions: Any, instance: Any, assets: Sequence[str], domain: str | None, batch: str, refresh: bool
) -> None:
    import dagster as dg

    config: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if refresh:
        able = {"intent_pool", "deduped_pool", "simulated_dialogues", "executed_traces"}
        config["ops"] = {name: {"config": {"refresh": True}} for name in assets if name in able}
    result = dg.materialize(
        [*definitions.assets, *(definitions.asset_checks or [])],
        selection=dg.AssetSelection.assets(*assets),
        partition_key=domain,
        instance=instance,
        resources=definitions.resources,
        run_config=config,
        tags={"ise/batch": batch, _PROCESS_TAG: _process_name(os.getpid())},
        raise_on_error=False,
    )
    if not result.success:
        _stop(f"{_why(result, domain)}\nFinished work is kept; the same command goes on from there.", 1)


def _why(result: Any, domain: str | None) -> str:
    place = f" ({domain})" if domain else ""
    for event in result.get_step_failure_events():
        error = event.event_specific_data.error
        cause = error.cause or error
        if "DagsterExecutionInterruptedError" in (error.cls_name, cause.cls_name):
            raise KeyboardInterrupt
        return f"{event.step_key}{place} failed: " + re.sub(rf"^[\w.]*{cause.cls_name}: ", "", cause.message.strip())
    failed = [e for e in result.get_asset_check_evaluations() if not e.passed]
    return "; ".join(
        f"check {e.check_name} of {e.asset_key.to_user_string()}{place} failed: {e.description}" for e in failed
    ) or (f"the run{place} failed; see `ise ui`")


def _closing(settings: Settings, chosen: Sequence[str]) -> None:
    from ise_assets.defs.summary import check_counts, row_counts
    from ise_assets.warehouse import Warehouse

    warehouse = Warehouse.of(settings)
    console.print(_closing_table(row_counts(warehouse), check_counts(), chosen))
    tables = ", ".join(f"{short} = {asset}" for asset, short in HEADINGS.items())
    console.print(f"[dim]rows per table and domain: {tables}[/]", highlight=False)
    sessions = warehouse.rows(_summary_sql())[0]
    console.print(
        f"\nIn the warehouse: {sessions['sessions'] or 0:,} sessions; accepted and reproduced {sessions['good'] or 0:.1%}; with a "
        f"real failure and its recovery {sessions['recovered'] or 0:.1%}; user turns {sessions['user_turns'] or 0:.2f} and "
        f"tool calls {sessions['tool_calls'] or 0:.1f} a session."
        + ("" if settings.uses_paid_models else " [dim](Scripted teacher: authored behaviour, real execution.)[/]")
    )
    example = warehouse.scalar(
        "SELECT dialogue_id FROM executed_traces ORDER BY recoveries > 0 DESC, dialogue_id LIMIT 1"
    )
    imported = warehouse.scalar("SELECT count(*) FROM intent_pool WHERE writer_model = 'imported'")
    if imported and settings.plays_scripts:
        console.print(f"{imported:,} imported intents wait for models: the scripted teacher has no script for them.")
    console.print()
    for what, where in (
        ("training data", settings.exports_dir / "sft"),
        ("report", settings.reports_dir / "diversity.html"),
        *([("one session", f".venv/bin/ise show {example}")] if example else []),
        ("web UI", "make ui"),
        ("your personas", f"drop a list into {settings.personas_dir}/ while the UI runs, or: ise run --help"),
    ):
        console.print(f"{what:<15}[bold]{escape(str(where))}[/]", highlight=False, soft_wrap=True)


def _count_stale(settings: Settings, domains: Sequence[str]) -> int:
    from ise_assets.simulate.stage import session_work
    from ise_assets.stage import StageRun
    from ise_assets.warehouse import Warehouse

    run = StageRun(Warehouse.of(settings), settings, "closing")
    return sum(session_work(run, domain)[1] for domain in domains)


def _tell_stale(stale: int) -> None:
    """That sessions of other models stay, and what to do who wants his own: nothing that is paid for is done again unasked."""
    if stale:
        console.print(
            f"{stale:,} sessions of other models or older settings are there and stay. For sessions of these models: ISE_HOME=data/mine "
            "begins anew, --rollouts 2 adds a second session to each intent, `ise run --refresh` lives them again."
        )


def _closing_table(
    rows: Mapping[tuple[str, str], int], checks: Mapping[str, tuple[int, int]], chosen: Sequence[str]
) -> Table:
    """Rows by asset and domain beside the checks passed, within 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, header_style="bold", show_footer=len(chosen) > 1)
    table.add_column("domain", footer="all of these", no_wrap=True)
    for asset, heading in HEADINGS.items():
        total = sum(rows.get((asset, domain), 0) for domain in chosen)
        table.add_column(heading, footer=str(total), justify="right", no_wrap=True)
    table.add_column("checks", justify="right", no_wrap=True)
    for domain in chosen:
        passed, total = checks.get(domain, (0, 0))
        shown = f"[{'green' if passed == total else 'red'}]{passed}/{total}[/]" if total else "-"
        table.add_row(domain, *(str(rows.get((asset, domain), 0)) for asset in DOMAIN_ASSETS), shown)
    return table


def _summary_sql() -> str:
    from ise_assets.warehouse import sql

    return sql("reports/sessions_at_a_glance")


if __name__ == "__main__":
    app()
