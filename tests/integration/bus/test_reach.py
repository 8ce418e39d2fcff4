"""Knocking at the hub, on real sockets."""

import asyncio
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from outrider.bus.reach import Absence, Found, Reach
from outrider_playground.waiting import eventually


@contextmanager
def listening(backlog: int = 16) -> Iterator[tuple[socket.socket, str]]:
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as server:
        yield server, f"tls://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def silent() -> Iterator[tuple[socket.socket, str]]:
    """A port whose queue is full: Linux drops what comes, as a dead link does."""
    with listening(backlog=0) as (server, url):
        address, waiting = server.getsockname(), []
        try:
            for _ in range(4):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(address)
            yield server, url
        finally:
            for one in waiting:
                one.close()


def closed_port() -> str:
    with listening() as (_, url):
        return url


def reach(*servers: str) -> Reach:
    return Reach(servers, random.Random(1))


async def test_a_server_that_takes_connections_is_found_at_once() -> None:
    with listening() as (_, url):
        async with asyncio.timeout(10):
            assert await reach(url).found() == Found(url, Absence.NONE)


async def test_a_server_is_found_by_any_of_its_addresses() -> None:
    with listening() as (_, url):
        name = url.replace("127.0.0.1", "localhost")
        async with asyncio.timeout(10):
            assert await reach(name).found() == Found(name, Absence.NONE)


async def test_what_a_closed_port_says_is_a_refusal_and_what_a_dead_link_says_is_silence() -> None:
    refusing = closed_port()
    assert await reach(refusing).knock(refusing) == Found(refusing, Absence.REFUSAL)
    with silent() as (_, url):
        assert await reach(url).knock(url) == Found(url, Absence.SILENCE)


async def test_a_name_that_can_not_be_looked_up_is_silence() -> None:
    nowhere = "tls://hub.invalid:4222"
    assert await reach(nowhere).knock(nowhere) == Found(nowhere, Absence.SILENCE)


async def test_a_name_that_takes_long_to_look_up_takes_one_thread_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered, asked = threading.Event(), []

    def getaddrinfo(*arguments: Any, **_: Any) -> list[Any]:
        asked.append(arguments)
        answered.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    hub = reach("tls://hub.example:4222")
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        finding = tasks.create_task(hub.found(0.01))
        await eventually(lambda: bool(asked))
        for _ in range(20):
            await asyncio.to_thread(int)
            await asyncio.sleep(0.01)
        finding.cancel()
        answered.set()
    assert len(asked) == 1


async def test_where_a_server_answered_last_is_known_without_a_look_up() -> None:
    with listening() as (server, _):
        named = f"tls://hub.invalid:{server.getsockname()[1]}"
        hub = reach(named)
        hub.remember(named, (socket.AF_INET, server.getsockname()))
        assert await hub.knock(named) == Found(named, Absence.NONE)


async def test_a_link_that_comes_back_is_noticed_and_told_from_a_hub_that_does() -> None:
    with silent() as (server, url):
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            finding = tasks.create_task(reach(url).found(0.05))
            await asyncio.sleep(0)
            while not finding.done():
                # Whatever waits is let in, one after the other, until there is room again.
                server.setblocking(False)
                try:
                    server.accept()[0].close()
                except BlockingIOError:
                    await asyncio.sleep(0.01)
        assert finding.result().server == url
    refusing = closed_port()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        finding = tasks.create_task(reach(refusing).found(0.05))
        await asyncio.sleep(0.1)
        with socket.create_server(("127.0.0.1", int(refusing.rpartition(":")[2]))):
            assert await finding == Found(refusing, Absence.REFUSAL)


async def test_of_several_servers_one_that_is_there_is_found() -> None:
    with listening() as (_, url):
        async with asyncio.timeout(30):
            assert (await reach(closed_port(), url).found(0.01)).server == url
