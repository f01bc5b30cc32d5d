"""The docker backend: why it cannot run, whose containers it sweeps, and what `auto` takes."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ise_assets.execute import workspace as workspaces
from ise_assets.execute.backends import bubblewrap, docker
from ise_assets.execute.models import BackendUnavailable, WorkspaceDied
from ise_assets.execute.seccomp import AF_ALLOWED, DENIED, docker_profile
from ise_assets.execute.workspace import Limits, Workspace, open_backend
from ise_assets.settings import PROJECT


def containers(*filters: str) -> list[str]:
    told = subprocess.run(
        ["docker", "ps", "-aq", "--no-trunc", "--filter", "label=ise.workspace", *filters],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.split()


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A `docker` that answers what the test says: exit code, stdout, stderr by its first argument."""

    def say(**answers: tuple[int, str, str]) -> None:
        docker._probe.cache_clear()
        cases = ""
        for name, (code, out, err) in answers.items():
            (tmp_path / f"{name}.out").write_text(out)
            cases += f"{name}) cat {tmp_path}/{name}.out; echo '{err}' >&2; exit {code};;\n"
        script = tmp_path / "docker"
        script.write_text(f"#!/bin/bash\ncase $1 in\n{cases}esac\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    yield say
    docker._probe.cache_clear()


ENGINE = {"ServerVersion": "20.10", "SecurityOptions": ["name=seccomp,profile=default"], "Runtimes": {"runc": {}}}


@pytest.mark.parametrize(
    ("info", "image", "expected"),
    [
        ((1, "", "permission denied while trying to connect to the Docker daemon socket"), 0, "usermod -aG docker"),
        ((1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock"), 0, "systemctl start docker"),
        ((0, json.dumps({**ENGINE, "SecurityOptions": []}), ""), 0, "no seccomp"),
        ((0, json.dumps(ENGINE), ""), 1, "build-workspace-image.sh"),
    ],
)
def test_what_keeps_it_from_running_is_said_with_the_remedy(client, info, image: int, expected: str) -> None:
    client(info=info, image=(image, "", "No such image"))
    problem = docker.Docker("ise-none", "").probe()
    assert problem is not None and expected in problem


def test_a_runtime_that_the_engine_does_not_have_is_named_with_those_it_has(client) -> None:
    client(info=(0, json.dumps(ENGINE), ""))
    problem = docker.Docker("ise-none", "runsc").probe()
    assert problem is not None and "'runsc'" in problem and "runc" in problem and "ISE_DOCKER_RUNTIME" in problem


def test_auto_takes_docker_where_bubblewrap_does_not_run_and_says_both_reasons_where_neither_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert open_backend("auto").name == "bubblewrap"
    monkeypatch.setattr(bubblewrap.Bubblewrap, "probe", lambda self: "no namespaces")
    monkeypatch.setattr(docker.Docker, "sweep", lambda self: None)
    monkeypatch.setattr(docker.Docker, "probe", lambda self: None)
    assert open_backend("auto").name == "docker"
    monkeypatch.setattr(docker.Docker, "probe", lambda self: "no engine")
    with pytest.raises(BackendUnavailable, match=r"(?s)bubblewrap: no namespaces.*docker: no engine"):
        open_backend("auto")
    with pytest.raises(BackendUnavailable):
        open_backend("bubblewrap")


def test_a_backend_is_one_file_with_the_name_of_the_setting() -> None:
    folder = Path(workspaces.__file__).with_name("backends")
    assert {file.stem for file in folder.glob("[a-z]*.py")} == set(workspaces.BACKENDS) - {"auto"}


def test_the_profile_for_people_is_the_one_workspaces_get_and_holds_the_whole_policy() -> None:
    profile = docker_profile()
    assert json.loads((PROJECT / "docker" / "seccomp.json").read_text()) == profile
    refused = {name for rule in profile["syscalls"] if not rule.get("args") for name in rule["names"]}
    assert refused == {*DENIED, "clone3"}
    families = [rule["args"][0]["value"] for rule in profile["syscalls"] if rule["names"] == ["socket"]]
    assert not set(families[1:]) & set(AF_ALLOWED)


def test_no_secret_of_the_host_is_among_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_API_KEY", "planted-secret-value")
    told = docker.arguments(Limits(), "runsc")
    assert "planted-secret-value" not in " ".join(told)
    assert told[told.index("--runtime") + 1] == "runsc"
    assert told[told.index("--memory") + 1] == f"{1024 + 3 * 256 + 3 * 64}m"
    assert not {"--rm", "--privileged", "-v", "--volume", "--mount"} & set(told)


async def test_the_image_has_every_program_that_scenarios_run(docker_engine: str) -> None:
    from ise_assets.intent.catalog import load_catalog

    wanted = sorted({program for task in load_catalog().values() for program in task.requires})
    async with await Workspace.start(open_backend("docker"), Limits()) as workspace:
        found = await workspace.exec("for p in " + " ".join(wanted) + "; do command -v $p >/dev/null || echo $p; done")
    assert found.stdout == "", "put their Debian packages into docker/workspace-packages.txt"


async def test_stop_leaves_no_container_and_an_engines_refusal_is_workspace_died(docker_engine: str) -> None:
    before = containers()
    workspace = await Workspace.start(open_backend("docker"), Limits())
    await workspace.exec("setsid sleep 7106 & sleep 7106 & trap '' TERM; true")
    assert len(containers()) == len(before) + 1
    await workspace.stop()
    await workspace.stop()
    assert containers() == before
    assert subprocess.run(["pgrep", "-f", "^sleep 7106"], check=False).returncode == 1
    with pytest.raises(WorkspaceDied, match="could not make a container"):
        await Workspace.start(docker.Docker("ise-no-such-image", ""), Limits())


async def test_sweep_takes_what_a_dead_process_left_and_spares_the_living(docker_engine: str) -> None:
    backend = open_backend("docker")
    async with await Workspace.start(backend, Limits()) as workspace:
        left = subprocess.run(
            [
                *(shutil.which("docker") or "docker", "create", "--label", f"ise.workspace={docker._machine()}"),
                *("--label", f"ise.workspace.owner={docker._boot_id()}:{2**22 - 1}:17", "--network", "none"),
                *(backend.image, "true"),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        foreign = (
            left
            and subprocess.run(
                ["docker", "create", "--label", "ise.workspace=another.1", "--network", "none", backend.image, "true"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
        )
        backend.sweep()
        there = containers()
        subprocess.run(["docker", "rm", foreign], capture_output=True, check=True)
        assert left not in there and foreign in there
        assert (await workspace.exec("echo alive")).stdout == "alive\n"


async def test_a_start_that_is_cancelled_leaves_no_container(docker_engine: str, cancel_start) -> None:
    backend = open_backend("docker")
    before = containers()
    cancelled = [await cancel_start(backend, delay) for delay in (0.0, 0.02, 0.05, 0.2)]
    assert any(cancelled)
    for _ in range(100):
        if containers() == before:
            return
        await asyncio.sleep(0.1)
    assert containers() == before
