"""The `ise` command: the same pipeline from a terminal, recording into the same Dagster instance as the UI."""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ise_assets.intent.models import DOMAINS
from ise_assets.settings import Settings, SettingsError, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
catalog_app = typer.Typer(no_args_is_help=True, help="Look at the scenarios and prove them.")
app.add_typer(catalog_app, name="catalog")
console = Console()
errors = Console(stderr=True)

DOMAIN_ASSETS = (
    "intent_pool",
    "intent_embeddings",
    "deduped_pool",
    "diversity_report",
    "simulated_dialogues",
    "executed_traces",
    "sft_split",
)
_PROJECT_FILES = ("workspace.yaml", "dagster.yaml")


@app.command()
def demo() -> None:
    """The main job on the shipped persona lists: one session to watch, then all ten domains into data/ise.duckdb."""
    settings = _settings()
    _require_workspace(settings)
    _introduce()
    _show_one_live(settings)
    _run_pipeline(settings, DOMAINS)
    _closing(settings)


@app.command()
def run(
    domains: Annotated[str, typer.Option(help="Comma-separated domains; all ten by default.")] = ",".join(DOMAINS),
    personas: Annotated[
        list[Path] | None, typer.Option(help="A persona list (JSONL, CSV, Parquet) to take in.")
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
    os.environ.update({name: str(value) for name, value in chosen.items() if value is not None})
    settings = _settings()
    names = [name.strip() for name in domains.split(",") if name.strip()]
    if unknown := [name for name in names if name not in DOMAINS]:
        _stop(f"unknown domain {', '.join(unknown)}; valid: {', '.join(DOMAINS)}")
    _require_models(settings)
    _require_workspace(settings)
    for path in personas or []:
        _adopt(settings, path)
    _run_pipeline(settings, names, refresh=refresh)
    _closing(settings)


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port of the web UI.")] = 3000) -> None:
    """Dagster's web UI and daemon on the same instance."""
    home = _dagster_home()
    console.print(f"Web UI at [bold]http://127.0.0.1:{port}[/] (instance in {home}); Ctrl-C ends it.")
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(_project() / "workspace.yaml"), "-h", "127.0.0.1"]
    os.chdir(_project())
    os.execv(sys.executable, [*command, "-p", str(port)])


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
def show(dialogue_id: Annotated[str, typer.Argument(help="A dialogue's id, or the beginning of one.")]) -> None:
    """Print one session readably: who said what, what was called, what came back, what the checks found."""
    from ise_assets.simulate.show import print_session
    from ise_assets.warehouse import Warehouse

    try:
        print_session(console, Warehouse(_settings().warehouse_path), dialogue_id)
    except LookupError as error:
        _stop(str(error))


@catalog_app.command("check")
def catalog_check(
    names: Annotated[list[str] | None, typer.Argument(help="Scenarios; all by default.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of the parameters to try.")] = 3,
) -> None:
    """Prove scenarios in real workspaces: checks, guards, slips, other ways, wrong ways."""
    from ise_assets.simulate.scripted.prove import main

    raise typer.Exit(main([*(names or []), "--seeds", str(seeds)]))


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        _stop(str(error))


def _stop(message: str) -> NoReturn:
    errors.print("[bold red]ise:[/] " + escape(message), highlight=False)
    raise typer.Exit(2)


def _require_workspace(settings: Settings) -> None:
    from ise_assets.execute.models import BackendUnavailable
    from ise_assets.execute.workspace import open_backend

    try:
        backend = open_backend(settings.workspace_backend)
    except BackendUnavailable as error:
        _stop(f"{error}\nRun `ise doctor` for what to do. Nothing was run; agents never get the bare host.")
    console.print(f"[dim]workspaces: {backend.name}[/]")


def _require_models(settings: Settings) -> None:
    from ise_assets.llm import check_models
    from ise_assets.simulate.scripted.provider import register

    register()
    try:
        check_models(settings)
    except SettingsError as error:
        _stop(str(error))


def _adopt(settings: Settings, path: Path) -> None:
    """Copy a persona list into the watched folder, whole or not at all."""
    if not path.is_file():
        _stop(f"{path}: no such persona list")
    settings.personas_dir.mkdir(parents=True, exist_ok=True)
    target = settings.personas_dir / path.name
    if target.exists() and target.read_bytes() == path.read_bytes():
        return
    if target.exists():
        _stop(f"{target} exists and differs from {path}; rename one of them")
    part = target.with_name(f".{target.name}.part")
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
    _dagster_home()
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import dagster as dg

    from ise_assets.definitions import defs
    from ise_assets.defs import stage

    definitions = defs()
    instance = dg.DagsterInstance.get()
    batch = f"ise-run-{uuid.uuid4().hex[:8]}"
    began = time.monotonic()
    columns = (TextColumn("{task.description:<42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bars: dict[tuple[str, str | None], Any] = {}

        def told(asset: str, partition: str | None, done: int, total: int, what: str) -> None:
            if total == 0:
                return
            key = (asset, partition)
            if key not in bars:
                bars[key] = progress.add_task(f"  {asset} {partition or ''}")
            progress.update(bars[key], completed=done, total=total, visible=done < total)

        stage.listeners.append(told)
        overall = progress.add_task("[bold]domains", total=len(domains))
        try:
            _materialize(definitions, instance, ["persona_pool", "task_catalog"], None, batch, refresh)
            for domain in domains:
                progress.update(overall, description=f"[bold]{domain}")
                _materialize(definitions, instance, DOMAIN_ASSETS, domain, batch, refresh)
                progress.advance(overall)
            _materialize(definitions, instance, ["pool_diversity"], None, batch, refresh)
        finally:
            stage.listeners.remove(told)
    from ise_assets.warehouse import Warehouse

    snapshot = Warehouse(settings.warehouse_path).publish_snapshot()
    console.print(f"[dim]done in {time.monotonic() - began:.0f} s; snapshot for notebooks: {snapshot}[/]")


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
        tags={"ise/batch": batch},
        raise_on_error=False,
    )
    if not result.success:
        _stop(_why(result, domain))


def _why(result: Any, domain: str | None) -> str:
    place = f" ({domain})" if domain else ""
    for event in result.get_step_failure_events():
        error = event.event_specific_data.error
        cause = error.cause or error
        return f"{event.step_key}{place} failed: {cause.message.strip()}"
    failed = [e for e in result.get_asset_check_evaluations() if not e.passed]
    return "; ".join(
        f"check {e.check_name} of {e.asset_key.to_user_string()}{place} failed: {e.description}" for e in failed
    ) or (f"the run{place} failed; see `ise ui`")


def _closing(settings: Settings) -> None:
    from ise_assets.defs.summary import check_counts, row_counts
    from ise_assets.warehouse import Warehouse

    warehouse = Warehouse(settings.warehouse_path)
    rows, checks = row_counts(warehouse), check_counts()
    table = Table(title="rows per asset and domain", header_style="bold")
    table.add_column("domain")
    for asset in DOMAIN_ASSETS:
        table.add_column(asset.replace("_", "\n"), justify="right")
    table.add_column("checks", justify="right")
    for domain in DOMAINS:
        passed, total = checks.get(domain, (0, 0))
        shown = f"[{'green' if passed == total else 'red'}]{passed}/{total}[/]" if total else "-"
        table.add_row(domain, *(f"{rows.get((asset, domain), 0):,}" for asset in DOMAIN_ASSETS), shown)
    console.print(table)
    sessions = warehouse.rows(_summary_sql())[0]
    console.print(
        f"{sessions['sessions'] or 0} sessions; accepted and reproduced {sessions['good'] or 0:.1%}; with a real failure and its "
        f"recovery {sessions['recovered'] or 0:.1%}; user turns {sessions['user_turns'] or 0:.2f}; tool calls "
        f"{sessions['tool_calls'] or 0:.1f} a session. [dim](scripted teacher: authored behaviour, real execution)[/]"
    )
    console.print(f"training data: [bold]{settings.exports_dir / 'sft'}[/]   report: [bold]{settings.reports_dir}[/]")
    example = warehouse.scalar(
        "SELECT dialogue_id FROM executed_traces WHERE recoveries > 0 ORDER BY dialogue_id LIMIT 1"
    )
    console.print(
        "next: [bold]make ui[/] (the web UI), [bold].venv/bin/ise show " + str(example) + "[/] (one session),"
    )
    console.print(
        "      drop a persona list into "
        + str(settings.personas_dir)
        + " while the UI runs, [bold].venv/bin/ise run --help[/]"
    )


def _summary_sql() -> str:
    from ise_assets.warehouse import sql

    return sql("reports/sessions_at_a_glance")


if __name__ == "__main__":
    app()
