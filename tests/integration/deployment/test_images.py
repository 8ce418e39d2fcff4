"""The Dockerfiles, as far as they can be judged without building them."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCKER = ROOT / "docker"
# Each with the folder that it is built from.
DOCKERFILES = {DOCKER / "Dockerfile": ROOT, DOCKER / "git.Dockerfile": DOCKER}
SCRIPTS = sorted(DOCKER.rglob("*.sh"))


@pytest.mark.parametrize(("dockerfile", "context"), DOCKERFILES.items(), ids=lambda path: path.name)
def test_what_is_copied_is_there(dockerfile: Path, context: Path) -> None:
    for source in re.findall(r"^COPY (?!--from)(\S+) \S+$", dockerfile.read_text(), re.MULTILINE):
        assert (context / source).exists(), source


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_every_final_stage_ends_as_a_user_without_rights(dockerfile: Path) -> None:
    stages = re.split(r"^FROM ", dockerfile.read_text(), flags=re.MULTILINE)[1:]
    bases = {stage.split()[2]: stage for stage in stages if " AS " in stage.splitlines()[0]}
    for stage in stages:
        name = stage.splitlines()[0]
        if name.endswith(" AS build"):
            continue
        users = re.findall(r"^USER (\S+)", stage, re.MULTILINE)
        if not users:
            users = re.findall(r"^USER (\S+)", bases[name.split()[0]], re.MULTILINE)
        assert users[-1] == "65532:65532", name


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_every_base_image_is_of_a_named_version(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    own = set(re.findall(r" AS (\w+)$", text, re.MULTILINE))
    for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert base in own or re.fullmatch(r"[\w./-]+:[\w.-]*\w", base), base
        assert not base.endswith(":latest")


def test_versions_are_pinned_by_the_constraints() -> None:
    assert "-c constraints.txt" in (DOCKER / "Dockerfile").read_text()


def test_secrets_of_this_folder_never_reach_the_builder() -> None:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    # First nothing, then what is named: a new folder stays out until somebody lets it in.
    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {
        "!pyproject.toml", "!constraints.txt", "!README.md", "!LICENSE", "!shared", "!services", "!agent", "!cli",
        "!playground", "!bus-config", "!docker/first-run.sh",
    }  # fmt: skip
    assert "bus-config/generated" in rules


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_programs_that_a_plain_shell_can_read(script: Path) -> None:
    assert script.read_text().startswith("#!/bin/sh\n")
    assert "set -eu" in script.read_text()
    assert script.stat().st_mode & 0o111
    subprocess.run(["/bin/sh", "-n", str(script)], check=True, timeout=10)  # noqa: S603 - our own scripts
