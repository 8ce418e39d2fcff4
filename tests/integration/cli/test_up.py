import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli.conftest import Outrider
from tests.integration.cli.hub_process import SERVICES, WITHIN_S, Up, all_gone, refused, up, wait_until

from outrider.bus import connected
from outrider.identity import credentials


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
    assert (await outrider("cluster", "remove", "shop1", "--lost", *here)).status == 0


async def test_an_application_that_is_refused_is_told_with_file_document_and_field(
    hub: Up, outrider: Outrider
) -> None:
    manifest = json.loads(application("web"))
    manifest["spec"]["source"]["pathh"] = "web"
    ended = await outrider(
        "app", "apply", "-f", "-", "--state", hub.state, stdin=json.dumps(manifest).encode()
    )
    assert ended.status == 1
    assert ended.stderr.startswith("standard input:1 (document 1): Application web: ")
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


async def test_a_bus_that_dies_is_started_again_on_its_port(hub: Up, outrider: Outrider) -> None:
    (server,) = hub.servers()
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: "nats-server       | the NATS server ended by itself" in hub.log.read_text())
    async with asyncio.timeout(WITHIN_S):
        while (await outrider("cluster", "list", "--state", hub.state)).status != 0:
            pass
    assert hub.servers().isdisjoint({server})


def test_a_folder_that_another_hub_uses_is_refused_in_one_sentence(hub: Up) -> None:
    assert f"{hub.state} is in use by a hub that is running (process {hub.process.pid})" in refused(hub.state)


def test_a_port_that_is_taken_is_refused_in_one_sentence(hub: Up, tmp_path: Path) -> None:
    assert f"port {hub.port} of 127.0.0.1 is taken" in refused(tmp_path / "a", "--port", hub.port)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is taken" in refused(tmp_path / "a", "--port", port)


def test_a_service_that_can_not_have_what_it_was_told_ends_the_hub_with_its_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refused(tmp_path / "a", "--metrics", f"127.0.0.1:{taken.getsockname()[1]}")
    assert said.startswith("Error: status-aggregator can't start: ")
    assert "metrics" in said


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
        server = hub.servers()
        hub.stop(signal.SIGKILL)
        wait_until(lambda: all_gone(services))
        assert not all_gone(server)
    with up(state) as second:
        assert all_gone(server)
        assert set(second.children()) == set(SERVICES)
        assert second.stop(signal.SIGINT) == 0
