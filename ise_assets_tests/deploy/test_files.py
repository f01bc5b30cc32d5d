"""What docker/ promises and can be read off its files; test_compose.py runs it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from ise_assets.settings import PROJECT, Settings

DOCKER = PROJECT / "docker"
HOLD_THE_ENGINE = {"webserver", "daemon", "workspaces"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def launcher() -> dict[str, Any]:
    return dict(yaml.safe_load((DOCKER / "dagster.yaml").read_text(encoding="utf-8"))["run_launcher"]["config"])


def test_every_service_has_a_limit_a_health_check_and_rotated_logs(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert {"mem_limit", "healthcheck", "logging", "restart"} <= service.keys(), name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_only_those_who_start_containers_hold_the_engine(compose: dict[str, Any], launcher: dict[str, Any]) -> None:
    holders = {name for name, service in compose["services"].items() if "docker.sock" in str(service.get("volumes"))}
    assert holders == HOLD_THE_ENGINE
    assert "docker.sock" not in str(launcher)
    assert "docker.sock" not in compose["services"]["code"]["environment"]["DAGSTER_CONTAINER_CONTEXT"]


def test_our_services_and_runs_have_no_privileges(compose: dict[str, Any], launcher: dict[str, Any]) -> None:
    ours = {name: service for name, service in compose["services"].items() if name != "postgres"}
    for told in (*ours.values(), launcher["container_kwargs"]):
        assert told["cap_drop"] == ["ALL"] and told["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER ise$", (DOCKER / "service.Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)


def test_secrets_come_from_the_environment_only(compose: dict[str, Any]) -> None:
    secret = re.compile(r"PASSWORD|TOKEN|_KEY$")
    found = 0
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if secret.search(name):
                found += 1
                assert re.fullmatch(r"\$\{[A-Z_]+(:-|:\?[^}]+)\}", str(value)), name
    assert found >= 10


def test_the_workspace_host_has_no_key_and_no_database(compose: dict[str, Any]) -> None:
    known = compose["services"]["workspaces"]["environment"].keys()
    assert not [name for name in known if "KEY" in name or "PASSWORD" in name or name == "ISE_WAREHOUSE"]
    assert not [mount for mount in compose["services"]["workspaces"]["volumes"] if "/data" in mount]


def test_runs_get_what_the_services_have(compose: dict[str, Any], launcher: dict[str, Any]) -> None:
    assert set(launcher["env_vars"]) == set(compose["x-settings"])


def test_every_setting_that_is_passed_on_is_one(compose: dict[str, Any]) -> None:
    known = {f"ISE_{name.upper()}" for name in Settings.model_fields} | {
        "ISE_CACHE",
        "ISE_ENGINES",
    }  # the latter is the launcher's (docker/dagster.yaml)
    for service in compose["services"].values():
        named = {name for name in service.get("environment", {}) if name.startswith("ISE_")}
        assert named <= known


def test_several_machines_differ_in_what_they_must_only(compose: dict[str, Any]) -> None:
    several = yaml.safe_load((DOCKER / "hosts.yaml").read_text(encoding="utf-8"))
    context, alone = (
        json.loads(file["services"]["code"]["environment"]["DAGSTER_CONTAINER_CONTEXT"])["docker"]
        for file in (several, compose)
    )
    assert list(context["container_kwargs"].pop("extra_hosts")) == ["postgres"]
    assert context == alone
    keys = {name for name, service in several["services"].items() if "CERTS" in str(service.get("volumes"))}
    assert keys == HOLD_THE_ENGINE - {"workspaces"}
    (port,) = (port for service in several["services"].values() for port in service.get("ports", []))
    assert port.startswith("${ISE_HEAD:?") and port.endswith(":5432:5432")  # of one address, never of all


def test_published_ports_are_this_machines_own_by_default(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all(":-127.0.0.1:" in port for port in published)
