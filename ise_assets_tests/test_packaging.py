"""What a fresh machine gets: pins that agree, a wheel with its data, a Makefile and an instance that work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ise_assets import doctor
from ise_assets.intent.catalog import load_catalog
from ise_assets.settings import PACKAGE, PROJECT, Settings

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
DIRECT = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["project"]["optional-dependencies"]["dev"]]


def pins() -> dict[str, str]:
    """Version per canonical name, from constraints.txt."""
    lines = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    rows = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)", line) for line in lines if not line.startswith("#")]
    assert all(rows), "constraints.txt holds comments and exact pins only"
    return {canonicalize_name(row[1]): row[2] for row in rows if row}


def closure(roots: list[str]) -> set[str]:
    """Canonical names of everything `roots` need on this Python, read from what is installed."""
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [Requirement(root) for root in roots]
    while todo:
        requirement = todo.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        for text in metadata.requires(requirement.name) or []:
            needed = Requirement(text)
            if wanted(needed.marker, requirement.extras):
                todo.append(needed)
    return {name for name, _ in seen}


def wanted(marker: Marker | None, extras: set[str]) -> bool:
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""})


def test_every_direct_dependency_is_pinned_as_in_the_constraints() -> None:
    pinned = pins()
    for text in DIRECT:
        requirement = Requirement(text)
        assert str(requirement.specifier) == f"=={pinned[canonicalize_name(requirement.name)]}", text


def test_everything_that_gets_installed_is_pinned_exactly() -> None:
    assert closure(DIRECT) - pins().keys() == set()


def test_what_is_installed_is_what_is_pinned() -> None:
    pinned = pins()
    installed = {name: metadata.version(name).split("+")[0] for name in closure(DIRECT)}
    assert {name: version for name, version in installed.items() if pinned[name] != version} == {}


def test_modules_import_only_declared_dependencies() -> None:
    declared = {canonicalize_name(Requirement(text).name) for text in PYPROJECT["project"]["dependencies"]}
    owners = metadata.packages_distributions()
    strangers = {}
    for path in PACKAGE.rglob("*.py"):
        if PACKAGE / "catalog" in path.parents:
            continue
        for name in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            distributions = {canonicalize_name(owner) for owner in owners.get(name, [])}
            if name != "ise_assets" and distributions and not distributions & declared:
                strangers[f"{path.relative_to(PROJECT)}: {name}"] = distributions
    assert strangers == {}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_holds_every_statement_and_every_catalogue_file(wheel: zipfile.ZipFile) -> None:
    statements = {f"ise_assets/{path.relative_to(PROJECT)}" for path in (PROJECT / "sql").rglob("*.sql")}
    data = {
        str(path.relative_to(PROJECT))
        for path in (PACKAGE / "catalog").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert statements
    assert data
    assert (statements | data) - set(wheel.namelist()) == set()


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in wheel.namelist()} == {"ise_assets", "ise_assets-0.1.0.dist-info"}
    assert [name for name in wheel.namelist() if name.endswith((".pyc", ".duckdb"))] == []


def test_an_unpacked_wheel_finds_its_statements_and_scenarios(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    program = (
        "from ise_assets.intent.catalog import load_catalog\n"
        "from ise_assets.warehouse import Warehouse, __file__ as where\n"
        "tables = Warehouse('w.duckdb').scalar('SELECT count(*) FROM information_schema.tables')\n"
        "print(where, tables, len(load_catalog()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    where, tables, scenarios = done.stdout.split()
    assert Path(where).is_relative_to(tmp_path)
    assert int(tables) > 5
    assert int(scenarios) == len(load_catalog())


def test_the_command_ise_is_installed_by_the_wheel(wheel: zipfile.ZipFile) -> None:
    assert "ise = ise_assets.cli:app" in wheel.read("ise_assets-0.1.0.dist-info/entry_points.txt").decode()


def make(*arguments: str) -> str:
    """What `make` says when a person calls it: the variables of a `make` around the tests would make it say more."""
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    command = ["make", *arguments]
    done = subprocess.run(command, cwd=PROJECT, env=environ, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout


def test_make_alone_explains_every_target() -> None:
    shown = make()
    phony = re.findall(r"^\.PHONY: (.*)$", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(phony[0].split()) == set(re.findall(r"^  make ([a-z-]+) ", shown, re.MULTILINE))


@pytest.mark.parametrize(
    ("target", "command"),
    [("demo", ".venv/bin/ise demo"), ("ui", ".venv/bin/ise ui"), ("test", '-m pytest -m "not long"'), ("lint", "mypy")],
)
def test_the_targets_set_up_first_and_then_run_their_command(target: str, command: str) -> None:
    planned = make("--dry-run", target)
    assert planned.startswith(".ci/setup")
    assert command in planned


def test_the_instances_settings_are_understood_by_dagster(tmp_path: Path) -> None:
    import dagster as dg

    (tmp_path / "dagster.yaml").write_bytes((PROJECT / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 2
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled


def test_dagster_is_pointed_at_the_definitions_with_a_working_directory() -> None:
    (location,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    module = {"module_name": "ise_assets.definitions", "working_directory": ".", "location_name": "ise_assets"}
    assert location == {"python_module": module}


def test_the_workspace_image_has_every_program_that_scenarios_require() -> None:
    listed = (PROJECT / "docker" / "workspace-packages.txt").read_text(encoding="utf-8")
    packages = set(re.findall(r"^([a-z0-9.+-]+)$", listed, re.MULTILINE))
    # These are in every Debian image, or the package installed is an alternative to the default one.
    packages |= {"bash", "coreutils", "dash", "grep", "gzip", "libc-bin", "sed", "tar", "util-linux", "mawk"}
    required = {program for task in load_catalog().values() for program in task.requires}
    assert required
    assert {program for program in required if doctor.debian_package(program) not in packages} == set()


def test_what_the_workspace_image_copies_exists() -> None:
    image = (PROJECT / "docker" / "workspace.Dockerfile").read_text(encoding="utf-8")
    sources = re.findall(r"^COPY (?:--\S+ )*(\S+) ", image, re.MULTILINE)
    assert sources
    assert [source for source in sources if not (PROJECT / source).exists()] == []


def test_the_readme_names_every_setting_with_its_default() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        row = next((line for line in readme.splitlines() if line.startswith(f"| `ISE_{name.upper()}` |")), "")
        assert field.description and field.description in row, name
        default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else str(field.default)
        default = "" if field.default == {} else default
        assert (default.lower() if isinstance(field.default, bool) else default) in row, name
