import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cli.conftest import Outrider

from outrider.bus import connected
from outrider.identity import credentials

SERVICES = ("app_registry", "repo_renderer", "status_aggregator")
WITHIN_S = 60


def application(name: str) -> bytes:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.invalid/shops.git", "path": "till", "targetRevision": "main"},
            "destination": {"name": "shop1", "namespace": "shop"},
        },
    }
    return json.dumps(manifest).encode()


@dataclass
class Up:
    """A hub that `outrider up` runs."""

    process: subprocess.Popen[str]
    log: Path
    said: dict[str, Any]
    # its answer once it was ready

    @property
    def state(self) -> Path:
        return Path(self.said["state"])

    @property
    def port(self) -> str:
        return str(self.said["listens"]).rpartition(":")[2]

    def children(self) -> dict[str, int]:
        """Return the services' processes."""
        return {
            module: pid
            for pid, parent, command in processes()
            if parent == self.process.pid and command[1:2] == ["-m"] and (module := command[2]) in SERVICES
        }

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(WITHIN_S)


def processes() -> Iterator[tuple[int, int, list[str]]]:
    """Yield process, parent and command line of all that run and are not waiting to be buried."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            status, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if status != "Z":
                yield int(folder.name), int(parent), command


def wait_until(condition: Callable[[], bool]) -> None:
    # Processes of processes: there is no event to wait on.
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def all_gone(pids: set[int]) -> bool:
    return not pids & {pid for pid, _, _ in processes()}


def command_line(state: Path, *options: object) -> list[str]:
    fixed = ("--state", state, "--port", "0", "--metrics", "off", "-o", "json")
    return [sys.executable, "-m", "outrider_cli", "up", *map(str, (*fixed, *options))]


@contextmanager
def up(state: Path, *options: object) -> Iterator[Up]:
    log = state.with_name(f"{state.name}-{time.monotonic_ns()}.log")
    with log.open("w") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command_line(state, *options), stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    assert process.stdout is not None
    try:
        said = ""
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, log.read_text()
            said += line
        yield Up(process, log, json.loads(said))
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=WITHIN_S)


def refused(state: Path, *options: object) -> str:
    ended = subprocess.run(  # noqa: S603 - our own command
        command_line(state, *options), capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A hub for all tests that leave it as it is."""
    with up(tmp_path_factory.mktemp("hub") / "state") as hub:
        yield hub


async def test_a_hub_does_all_that_the_commands_ask(hub: Up, outrider: Outrider, tmp_path: Path) -> None:
    here = ("--state", hub.state)
    added = await outrider("cluster", "add", "shop1", "--credentials-only", "--out", tmp_path / "c", *here)
    assert added.status == 0, added.stderr
    async with connected(credentials.bus_settings(tmp_path / "c")) as edge:
        assert edge.name == "shop1"
        applied = await outrider("app", "apply", "-f", "-", *here, stdin=application("till"))
        assert applied == (0, "application/till created\n", "")
        async with asyncio.timeout(WITHIN_S):
            while "online" not in (await outrider("cluster", "get", "shop1", *here)).stdout:
                pass
    assert (await outrider("app", "apply", "-f", "-", *here, stdin=application("till"))).stdout.endswith(
        "unchanged\n"
    )
    found = json.loads((await outrider("app", "get", "till", *here, "-o", "json")).stdout)
    assert (found["cluster"], found["status"]["freshness"]) == ("shop1", "unknown")
    listed = await outrider("app", "list", "--cluster", "shop1", *here)
    assert "never heard of" in listed.stdout
    assert (await outrider("app", "wait", "till", "--timeout", 0.3, *here)).status == 1
    offline = await outrider("app", "sync", "till", *here)
    assert offline.status == 1
    assert "offline" in offline.stderr
    assert (await outrider("repo", "add", "https://git.invalid/shops.git", *here)).status == 0
    assert "git.invalid" in (await outrider("repo", "list", *here)).stdout
    assert (await outrider("cluster", "remove", "shop1", *here)).status == 1
    assert (await outrider("app", "delete", "till", *here)).stdout == "application/till deleting\n"
    assert (await outrider("cluster", "remove", "shop1", "--force", *here)).status == 0


async def test_an_application_that_is_refused_is_told_with_file_document_and_field(
    hub: Up, outrider: Outrider
) -> None:
    manifest = json.loads(application("web"))
    manifest["spec"]["source"]["pathh"] = "web"
    ended = await outrider(
        "app", "apply", "-f", "-", "--state", hub.state, stdin=json.dumps(manifest).encode()
    )
    assert ended.status == 1
    assert ended.stderr.startswith("standard input:1 (document 1): application/web: ")
    assert "pathh" in ended.stderr


async def test_a_service_that_dies_is_started_again(hub: Up, outrider: Outrider) -> None:
    before = hub.children()
    assert set(before) == set(SERVICES)
    os.kill(before["app_registry"], signal.SIGKILL)
    wait_until(lambda: "app-registry      | ended by signal 9; starting it again" in hub.log.read_text())
    async with asyncio.timeout(WITHIN_S):
        while (await outrider("cluster", "list", "--state", hub.state)).status != 0:
            pass
    after = hub.children()
    assert after["app_registry"] != before["app_registry"]
    assert after["repo_renderer"] == before["repo_renderer"]


def test_a_folder_that_another_hub_uses_is_refused_in_one_sentence(hub: Up) -> None:
    assert f"{hub.state} is in use by a hub that is running (process {hub.process.pid})" in refused(hub.state)


def test_a_port_that_is_taken_is_refused_in_one_sentence(hub: Up, tmp_path: Path) -> None:
    assert f"port {hub.port} of 127.0.0.1 is taken" in refused(tmp_path / "a", "--port", hub.port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is taken" in refused(tmp_path / "a", "--port", port)


def test_an_address_that_is_not_of_this_machine_is_refused_in_one_sentence(tmp_path: Path) -> None:
    assert "can't listen on 192.0.2.1" in refused(tmp_path / "a", "--listen", "192.0.2.1")


def test_a_folder_that_can_not_be_written_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "can't write the hub's folder" in refused(tmp_path / "file" / "hub")


async def test_what_a_hub_knew_it_knows_after_a_restart_under_another_name(
    outrider: Outrider, tmp_path: Path
) -> None:
    state = tmp_path / "hub"
    with up(state) as hub:
        await outrider(
            "cluster", "add", "shop1", "--credentials-only", "--out", tmp_path / "c", "--state", state
        )
        await outrider("app", "apply", "-f", "-", "--state", state, stdin=application("till"))
        children = set(hub.children().values())
        assert hub.stop() == 0
        assert all_gone(children)
        assert not (state / "hub.json").exists()
    with up(state, "--host", "hub.example.com") as hub:
        assert hub.said["servers"] == [f"tls://hub.example.com:{hub.port}"]
        found = await outrider("app", "get", "till", "--state", state, "-o", "json")
        assert json.loads(found.stdout)["cluster"] == "shop1"
        # The certificate has another name; the authority is the one that the edge knows.
        settings = credentials.bus_settings(tmp_path / "c", (hub.said["local"],))
        async with connected(settings) as edge:
            assert edge.name == "shop1"


def test_a_hub_that_was_killed_leaves_nothing_that_the_next_one_has_to_live_with(tmp_path: Path) -> None:
    state = tmp_path / "hub"
    with up(state) as hub:
        services = set(hub.children().values())
        server = {int(file.stem.rpartition("_")[2]) for file in (state / "nats").glob("*.ports")}
        hub.stop(signal.SIGKILL)
        wait_until(lambda: all_gone(services))
        assert not all_gone(server)
    with up(state) as second:
        assert all_gone(server)
        assert set(second.children()) == set(SERVICES)
        assert second.stop(signal.SIGINT) == 0
