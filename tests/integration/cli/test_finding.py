import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest
from tests.integration.cli.conftest import Outrider
from tests.integration.cli.services import Services
from tests.integration.conftest import Hub

from outrider_cli import state_folder


async def test_a_hub_on_this_machine_is_found_by_its_folder(
    services: Services, outrider: Outrider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OUTRIDER_CREDENTIALS")
    monkeypatch.delenv("OUTRIDER_SERVERS")
    state_folder.write_address(services.hub.state, {"servers": [services.hub.url]})
    assert (await outrider("cluster", "list", "--state", services.hub.state)).status == 0
    monkeypatch.setenv("OUTRIDER_STATE", str(services.hub.state))
    assert (await outrider("cluster", "list")).status == 0


async def test_a_folder_without_a_hub_is_named_with_what_to_do(outrider: Outrider, tmp_path: Path) -> None:
    ended = await outrider("cluster", "list", "--state", tmp_path)
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.stderr.startswith(
        f"Error: there is no hub in {tmp_path}: start it with `outrider up --state {tmp_path}`"
    )


async def test_nobody_listening_is_told_within_seconds_with_what_was_tried(
    hub: Hub, outrider: Outrider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OUTRIDER_SERVERS", f"tls://127.0.0.1:{taken.getsockname()[1]}")
        port = taken.getsockname()[1]
        async with asyncio.timeout(8):
            ended = await outrider("status", "--state", hub.state)
    assert ended.status == 1
    assert ended.stderr.count("\n") == 1
    assert f"no hub reached at tls://127.0.0.1:{port}: nobody listens there; start it with" in ended.stderr


async def test_credentials_of_another_hub_are_told_apart_from_no_hub(
    hub: Hub, outrider: Outrider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    assert (await outrider("init", "--state", other)).status == 0
    ours, theirs = ((state / "nats" / "tls" / "authority.pem").read_text() for state in (hub.state, other))
    stranger = tmp_path / "stranger.creds"
    stranger.write_text((other / state_folder.PERSON).read_text().replace(theirs, ours))
    monkeypatch.setenv("OUTRIDER_SERVERS", hub.url)
    monkeypatch.setenv("OUTRIDER_CREDENTIALS", str(stranger))
    ended = await outrider("status")
    assert ended.status == 1
    assert "does not accept these credentials" in ended.stderr
    monkeypatch.setenv("OUTRIDER_CREDENTIALS", str(other / state_folder.PERSON))
    assert "certificate is not from this hub's authority" in (await outrider("status")).stderr


async def test_credentials_of_an_edge_do_not_rule_the_hub(
    services: Services, outrider: Outrider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "shop1.creds"
    await outrider("cluster", "add", "shop1", "--credentials-only", "--out", out)
    monkeypatch.setenv("OUTRIDER_CREDENTIALS", str(out))
    async with asyncio.timeout(8):
        ended = await outrider("app", "list")
    assert ended.status == 1
    assert "does not allow this" in ended.stderr
    assert str(out) in ended.stderr


async def test_a_service_that_does_not_run_is_named(
    hub: Hub, outrider: Outrider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTRIDER_SERVERS", hub.url)
    monkeypatch.setattr("outrider_cli.hub.SERVED_WITHIN_S", 0.0)
    ended = await outrider("app", "list", "--state", hub.state)
    assert ended.status == 1
    assert "status-aggregator does not run" in ended.stderr


async def test_an_answer_that_lacks_a_field_is_a_sentence(services: Services, outrider: Outrider) -> None:
    services.repositories["x"] = {"url": "x", "pool": "default", "public": {}}
    services.paged = lambda items, arguments: {"next": None}  # type: ignore[method-assign]
    ended = await outrider("repo", "list")
    assert (
        ended.stderr
        == "Error: the hub's answer has no 'items': it may be of another version than this command\n"
    )


async def test_a_file_that_is_no_credentials_file_is_named(
    outrider: Outrider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "wrong.creds").write_text("nothing")
    monkeypatch.setenv("OUTRIDER_CREDENTIALS", str(tmp_path / "wrong.creds"))
    ended = await outrider("status")
    assert ended.status == 1
    assert "wrong.creds has no block" in ended.stderr


async def test_the_command_itself_ends_with_the_status_and_no_traceback(tmp_path: Path) -> None:
    async def command(*arguments: str) -> tuple[int | None, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outrider_cli", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )  # fmt: skip
        _, stderr = await process.communicate()
        return process.returncode, stderr

    assert (await command("--help"))[0] == 0
    assert (await command("cluster", "list", "--nonsense"))[0] == 2
    status, stderr = await command("cluster", "list", "--state", str(tmp_path))
    assert status == 1
    assert b"Traceback" not in stderr


async def test_a_reader_that_has_seen_enough_is_no_error_worth_a_word(
    services: Services, outrider: Outrider, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.page = 10_000
    services.repositories = {
        f"https://git.example.com/{number}.git": {"url": f"https://git.example.com/{number}.git"}
        for number in range(3000)
    }
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outrider_cli", "repo", "list", stdout=write, stderr=asyncio.subprocess.PIPE
    )  # fmt: skip
    os.close(write)
    os.close(read)
    _, stderr = await process.communicate()
    assert (process.returncode, stderr) == (1, b"")


async def test_an_error_of_the_commands_own_is_one_sentence_and_a_traceback_only_on_request(
    services: Services, outrider: Outrider, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.clusters["shop1"] = {"name": "shop1", "labels": 3}
    ended = await outrider("cluster", "list")
    assert ended.status == 1
    assert ended.stderr.startswith("Error: outrider met an error of its own (AttributeError")
    assert "Traceback" not in ended.stderr
    monkeypatch.setenv("OUTRIDER_DEBUG", "1")
    assert "Traceback" in (await outrider("cluster", "list")).stderr
