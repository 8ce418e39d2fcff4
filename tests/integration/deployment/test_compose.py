"""docker-compose.yml against the rules of the Compose specification that it uses, and against this repository.

It is read as `docker compose` reads it: anchors and merges resolved, `${NAME:-default}` filled in.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
VARIABLE = re.compile(r"\$\{(\w+)(:-([^}]*))?\}")
COMPOSE: dict[str, Any] = yaml.safe_load(
    VARIABLE.sub(lambda match: match[3] or "", (ROOT / "docker-compose.yml").read_text())
)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# Runs containers of its own and is named as for trying things out alone.
PRIVILEGED = "k3s"
OURS = sorted(set(SERVICES) - {PRIVILEGED})
STEPS = {"first-run", "edge-first-run", "cli"}

TOP_LEVEL = {"name", "services", "networks", "volumes"}
OF_A_SERVICE = {
    "build", "cap_drop", "command", "depends_on", "deploy", "entrypoint", "environment", "healthcheck", "image", "init",
    "logging", "network_mode", "networks", "ports", "privileged", "profiles", "read_only", "restart", "security_opt",
    "stop_grace_period", "tmpfs", "ulimits", "user", "volumes", "working_dir",
}  # fmt: skip
OF_A_HEALTHCHECK = {"test", "interval", "timeout", "retries", "start_period"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
DURATION = re.compile(r"(\d+(ms|s|m|h))+")


def mounts(service: str) -> list[tuple[str, str, bool]]:
    """Return (volume or path, target, read only)."""
    found = []
    for text in SERVICES[service].get("volumes", []):
        source, target, *mode = text.split(":")
        found.append((source, target, mode == ["ro"]))
    return found


def test_only_words_of_the_compose_specification_are_used() -> None:
    assert {name for name in COMPOSE if not name.startswith("x-")} <= TOP_LEVEL
    for name, service in SERVICES.items():
        assert set(service) <= OF_A_SERVICE, name
        assert isinstance(service["image"], str), name


def test_every_variable_has_a_default_so_that_it_starts_without_any_file_of_settings() -> None:
    for name, default, _ in VARIABLE.findall((ROOT / "docker-compose.yml").read_text()):
        assert default, name


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_refers_to_is_declared(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
    assert not ("networks" in service and "network_mode" in service)
    for source, target, _ in mounts(name):
        assert source in COMPOSE["volumes"] or source.startswith("."), source
        assert target.startswith("/")
    for other, dependency in service.get("depends_on", {}).items():
        assert dependency["condition"] in CONDITIONS
        if dependency["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other], other
        if dependency["condition"] == "service_completed_successfully":
            assert SERVICES[other]["restart"] == "no", other
        # What a service waits for is there whenever the service is.
        assert set(SERVICES[other].get("profiles", [])) <= set(service.get("profiles", []))


def test_every_volume_and_network_is_used() -> None:
    assert {source for name in SERVICES for source, _, _ in mounts(name) if source != "."} == set(
        COMPOSE["volumes"]
    )
    assert {network for service in SERVICES.values() for network in service.get("networks", [])} == set(
        COMPOSE["networks"]
    )


@pytest.mark.parametrize("name", [name for name in SERVICES if "build" in SERVICES[name]])
def test_every_image_can_be_built_from_this_repository(name: str) -> None:
    build = SERVICES[name]["build"]
    dockerfile = ROOT / build["context"] / build["dockerfile"]
    stages = re.findall(r"^FROM \S+ AS (\w+)$", dockerfile.read_text(), re.MULTILINE)
    assert build.get("target", stages[-1] if stages else None) in (*stages, None)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    if "args" in build:
        assert build["args"]["EXTRA"] in extras


@pytest.mark.parametrize("name", OURS)
def test_no_service_of_ours_runs_as_root_or_can_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert not any("docker.sock" in source for source, _, _ in mounts(name))


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert SERVICES[name]["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert name == PRIVILEGED or limits["pids"] > 0


@pytest.mark.parametrize("name", sorted(set(SERVICES) - STEPS))
def test_every_service_comes_back_and_says_whether_it_is_well(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert set(check) == OF_A_HEALTHCHECK
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert all(DURATION.fullmatch(check[field]) for field in ("interval", "timeout", "start_period"))


def test_no_port_is_published_but_the_buss() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"nats": ["4222:4222", "8443:8443"]}


def test_the_hubs_keys_are_mounted_by_the_first_run_alone() -> None:
    assert [name for name in SERVICES if "state" in {source for source, _, _ in mounts(name)}] == [
        "first-run"
    ]
    assert SERVICES["first-run"]["network_mode"] == "none"


@pytest.mark.parametrize("name", sorted(set(OURS) - {"first-run"}))
def test_a_service_sees_its_own_identity_alone_and_cannot_change_it(name: str) -> None:
    own = {
        "nats": "nats-identity",
        "app-registry": "registry-identity",
        "repo-renderer": "renderer-identity",
        "status-aggregator": "aggregator-identity",
        "cli": "person-identity",
        "edge-first-run": "person-identity",
    }
    identities = {source: read_only for source, _, read_only in mounts(name) if source.endswith("-identity")}
    writes = {"edge-first-run": {"edge-identity"}}.get(name, set())
    expected = {own[name]} if name in own else set()
    if name in {"agent", "edge-first-run"}:
        expected.add("edge-identity")
    assert set(identities) == expected
    assert {source for source, read_only in identities.items() if not read_only} == writes


def test_no_secret_is_written_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD|TOKEN|SECRET|SEED", variable), name
            assert not re.search(r"SU[A-Z2-7]{50}|SA[A-Z2-7]{50}|BEGIN", str(value)), name


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_is_one_that_the_code_reads(name: str) -> None:
    read_by = [*ROOT.glob("services/**/*.py"), *ROOT.glob("agent/**/*.py"), *ROOT.glob("cli/**/*.py")]
    read_by += [*ROOT.glob("docker/**/*.sh"), *ROOT.glob("bus-config/**/*.conf")]
    text = "".join(path.read_text() for path in read_by)
    for variable in SERVICES[name].get("environment", {}):
        assert variable in text or name == PRIVILEGED, variable


@pytest.mark.parametrize("name", SERVICES)
def test_every_command_is_there(name: str) -> None:
    command = SERVICES[name].get("command", [])
    if command[:2] == ["python", "-m"]:
        (folder,) = [path for path in ROOT.glob(f"*/{command[2]}")] or list(
            ROOT.glob(f"services/{command[2]}")
        )
        assert (folder / "__init__.py").exists()
    if command[:2] == ["nats-server", "-c"]:
        assert (ROOT / "bus-config" / command[2]).exists()
