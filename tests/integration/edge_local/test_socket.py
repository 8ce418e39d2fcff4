"""The agent's socket: where it is, whose it is, and clients that don't behave."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.local import server
from edge_agent.local.client import NoAnswer, Question, Refused, ask
from edge_agent.local.messages import LENGTH_BYTES, Reply, Request, framed
from edge_agent.local.place import FolderInUse, NoSocket, connected, listening, locked
from outrider_playground.waiting import eventually

from .conftest import WITHIN_S, LocalSite, config_map

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = lambda _: None


async def test_only_its_owner_may_use_the_socket_and_the_folder_that_the_agent_makes(site: LocalSite) -> None:
    async with site.agent():
        assert stat.S_IMODE(os.stat(site.state).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(site.state / "agent.sock").st_mode) == 0o600
    assert not (site.state / "agent.sock").exists()


async def test_a_path_that_is_too_long_for_a_socket_is_reached_all_the_same(site: LocalSite) -> None:
    deep = replace(site, folder=site.folder / ("d" * 90) / ("e" * 90))
    deep.folder.mkdir(parents=True)
    for name in ("shop1.creds", "kubeconfig"):
        (deep.folder / name).write_bytes((site.folder / name).read_bytes())
    async with deep.agent():
        assert (deep.state / "agent.sock").is_socket()
        assert (await deep.status())["cluster"] == "shop1"
    async with deep.agent():
        assert (await deep.status())["cluster"] == "shop1"


async def test_the_socket_may_be_elsewhere(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = site.folder / "run" / "outrider.sock"
    monkeypatch.setenv("OUTRIDER_SOCKET", str(elsewhere))
    monkeypatch.delenv("OUTRIDER_STATE", raising=False)
    (site.folder / "run").mkdir()
    with listening(elsewhere) as listener:
        listener.close()
    async with site.agent_without_command(socket=elsewhere):
        await eventually(elsewhere.is_socket, WITHIN_S)
        assert not (site.state / "agent.sock").exists()
        ended = await asyncio.to_thread(site.typed, "status")
        assert ended.status == 0


async def test_what_a_killed_agent_left_is_replaced_and_what_is_no_socket_is_left_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "agent.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    with listening(path), connected(path):
        pass
    path.write_text("a file")
    with pytest.raises(NoSocket, match="is there and is no socket: remove it"), listening(path):
        pass
    assert path.read_text() == "a file"


async def test_a_socket_that_somebody_listens_at_is_not_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    with listening(path):
        with pytest.raises(FolderInUse, match="an agent that is running listens at"), listening(path):
            pass
        with connected(path):
            pass


def test_a_folder_has_one_agent_at_a_time(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with locked(state), pytest.raises(FolderInUse, match=f"process {os.getpid()}"), locked(state):
        pass
    with locked(state):
        pass


async def test_an_agent_that_cant_have_its_socket_goes_on_without_and_says_so(site: LocalSite) -> None:
    site.hub.desire("till", config_map("a", v="1"))
    async with site.agent():
        assert (await site.import_(site.hub.file())).status == 0
        await site.until_synced("till")
    site.cluster.delete(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}
    )
    async with site.agent_without_command(socket=site.folder / ("s" * 120)):
        await eventually(lambda: site.live("a") == {"v": "1"}, WITHIN_S)


async def raw(site: LocalSite) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(site.state / "agent.sock")


async def reply_to(site: LocalSite, data: bytes) -> Reply | None:
    """Send bytes; return the reply, None if the agent hangs up without one."""
    reader, writer = await raw(site)
    writer.write(data)
    async with asyncio.timeout(WITHIN_S):
        said = await reader.read()
    writer.close()
    return Reply.unpack(said[LENGTH_BYTES:]) if said else None


async def test_clients_that_send_nonsense_harm_nobody(site: LocalSite) -> None:
    async with site.agent():
        request = framed(Request("status"))
        for data in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\xff\xff\xff\xff",
            b"\x00\x00\x00\x05hello",
            b"\x00\x00\x00\x00",
            request[:4] + b"\x92\x07" + request[6:],
            framed(Request("nonsense")),
            framed(Request("sync", {"app": 7})),
            framed(Request("hold", {"reason": "x", "applications": "till"})),
            framed(Request("rollback", {"app": "till", "hold": [1]})),
            framed(Request("journal", {"count": "many"})),
        ):
            reply = await reply_to(site, data)
            assert reply is not None, data
            assert reply.kind == "refused", data
        _, writer = await raw(site)
        writer.write(request[:-1])
        writer.close()
        assert (await site.status())["cluster"] == "shop1"


async def test_another_version_is_refused_in_a_sentence(site: LocalSite) -> None:
    async with site.agent():
        packed = framed(Request("status"))
        other = packed[:LENGTH_BYTES] + bytes([packed[LENGTH_BYTES], 2]) + packed[LENGTH_BYTES + 2 :]
        reply = await reply_to(site, other)
        assert reply is not None
        assert "version 2, this process speaks 1: update the agent" in reply.body


async def test_silent_clients_are_let_go_of_and_too_many_are_sent_away(
    site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", 0.5)
    async with site.agent():
        silent = [await raw(site) for _ in range(server.CLIENTS_MAX)]
        with pytest.raises(Refused, match="the agent answers 16 commands already"):
            await asyncio.to_thread(ask, site.state / "agent.sock", Question("status", {}), NOBODY)
        async with asyncio.timeout(WITHIN_S):
            for reader, _ in silent:
                assert await reader.read() == b""
        assert (await site.status())["cluster"] == "shop1"
        for _, writer in silent:
            writer.close()


async def test_who_hangs_up_while_it_waits_takes_no_place(site: LocalSite) -> None:
    async with site.agent():
        site.hub.desire("till", config_map("a", v="1"), syncPolicy={})
        assert (await site.import_(site.hub.file())).status == 0
        await site.until_app("till", lambda app: app["sync"] == "OutOfSync")
        rule = site.cluster.faults.answer(503, "patch")
        for number in range(2 * server.CLIENTS_MAX):
            reader, writer = await raw(site)
            asked = Request("sync", {"app": "till", "wait": True}) if number == 0 else Request("status")
            writer.write(framed(asked))
            await writer.drain()
            if number == 0:
                assert await reader.read(1)
            writer.close()
        site.cluster.faults.remove(rule)
        assert (await site.status())["cluster"] == "shop1"


async def test_an_agent_that_ends_while_somebody_waits_is_said_to_have(site: LocalSite) -> None:
    async with site.agent():
        site.hub.desire("till", config_map("a", v="1"), syncPolicy={})
        assert (await site.import_(site.hub.file())).status == 0
        await site.until_app("till", lambda app: app["sync"] == "OutOfSync")
        site.cluster.faults.answer(503, "patch")
        question = Question("sync", {"app": "till", "wait": True}, within_s=WITHIN_S)
        told: list[Any] = []
        waiting = asyncio.create_task(
            asyncio.to_thread(ask, site.state / "agent.sock", question, told.append)
        )
        await eventually(lambda: bool(told), WITHIN_S)
    with pytest.raises(NoAnswer, match="the agent hung up"):
        await waiting
