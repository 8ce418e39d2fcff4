from __future__ import annotations

import asyncio
import gc
import random
import socket
import time
from typing import TYPE_CHECKING

import pytest

from outrider_playground.wan import LinkState, WanLink, Way

if TYPE_CHECKING:
    from tests.integration.playground_wan.conftest import Bench, Hub

# How long a black-holed byte is given to arrive: far longer than it takes on a link that is up.
NOTHING_WITHIN_S = 0.15


async def read(reader: asyncio.StreamReader, size_bytes: int) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readexactly(size_bytes)


async def read_nothing(reader: asyncio.StreamReader) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_WITHIN_S):
            pytest.fail(f"{await reader.read(100)!r} came through")


async def test_a_link_carries_any_bytes_both_ways_unchanged(bench: Bench) -> None:
    (agent_in, agent_out), (hub_in, hub_out) = await bench.connect()
    up, down = random.Random(1).randbytes(1_000_000), random.Random(2).randbytes(1_000_000)
    agent_out.write(up)
    hub_out.write(down)
    assert await read(hub_in, len(up)) == up
    assert await read(agent_in, len(down)) == down


async def test_one_side_may_close_while_the_other_goes_on(bench: Bench) -> None:
    (agent_in, agent_out), (hub_in, hub_out) = await bench.connect()
    agent_out.write(b"last words")
    agent_out.write_eof()
    assert await read(hub_in, 10) == b"last words"
    async with asyncio.timeout(5):
        assert await hub_in.read() == b""
    hub_out.write(b"still here")
    hub_out.close()
    async with asyncio.timeout(5):
        assert await agent_in.read() == b"still here"


async def test_a_cut_resets_what_is_connected_and_refuses_the_rest(bench: Bench) -> None:
    (agent_in, _), (hub_in, _) = await bench.connect()
    await bench.link.cut()
    assert bench.link.open_connections == 0
    for reader in (agent_in, hub_in):
        with pytest.raises(ConnectionResetError):
            await read(reader, 1)
    with pytest.raises(ConnectionRefusedError):
        await bench.dial()


async def test_a_cut_link_is_restored_on_the_same_port(bench: Bench) -> None:
    port = bench.link.port
    for _ in range(3):
        await bench.link.cut()
        await bench.link.restore()
    assert bench.link.port == port
    (_, agent_out), (hub_in, _) = await bench.connect()
    agent_out.write(b"back")
    assert await read(hub_in, 4) == b"back"


async def test_no_byte_crosses_a_black_hole_and_none_is_lost_when_it_ends(bench: Bench) -> None:
    (agent_in, agent_out), (hub_in, hub_out) = await bench.connect()
    await bench.link.black_hole()
    agent_out.write(b"up")
    hub_out.write(b"down")
    await read_nothing(hub_in)
    await read_nothing(agent_in)
    await bench.link.restore()
    assert await read(hub_in, 2) == b"up"
    assert await read(agent_in, 4) == b"down"


async def test_a_black_hole_stops_a_transfer_in_the_middle(bench: Bench) -> None:
    (agent_in, _), (_, hub_out) = await bench.connect()
    payload = random.Random(3).randbytes(4_000_000)
    hub_out.write(payload)
    received = await read(agent_in, 100_000)
    await bench.link.black_hole()
    # What the agent's kernel and stream already hold is drained first: it crossed before.
    try:
        while True:
            async with asyncio.timeout(NOTHING_WITHIN_S):
                received += await agent_in.read(1 << 20)
    except TimeoutError:
        pass
    assert len(received) < len(payload)
    await bench.link.restore()
    received += await read(agent_in, len(payload) - len(received))
    assert received == payload


async def test_a_connection_made_into_a_black_hole_hangs_until_the_link_is_restored(bench: Bench) -> None:
    await bench.link.black_hole()
    agent_in, agent_out = await bench.dial()
    agent_out.write(b"hello")
    await read_nothing(agent_in)
    assert bench.hub.accepted.empty()
    await bench.link.restore()
    async with asyncio.timeout(5):
        hub_in, _ = await bench.hub.accepted.get()
    assert await read(hub_in, 5) == b"hello"


async def test_neither_an_end_nor_a_reset_crosses_a_black_hole(bench: Bench) -> None:
    (_, closing), (hub_in, _) = await bench.connect()
    (_, resetting), (second_hub_in, _) = await bench.connect()
    await bench.link.black_hole()
    closing.close()
    resetting.transport.abort()
    await read_nothing(hub_in)
    await read_nothing(second_hub_in)
    await bench.link.restore()
    async with asyncio.timeout(5):
        assert await hub_in.read() == b""


async def test_a_black_hole_of_one_direction_lets_the_other_pass(bench: Bench) -> None:
    (agent_in, agent_out), (hub_in, hub_out) = await bench.connect()
    await bench.link.black_hole(Way.DOWN)
    agent_out.write(b"heard")
    assert await read(hub_in, 5) == b"heard"
    hub_out.write(b"lost for now")
    await read_nothing(agent_in)
    await bench.link.restore()
    assert await read(agent_in, 12) == b"lost for now"


async def test_a_connection_that_arrives_as_the_link_is_cut_is_closed_too(bench: Bench) -> None:
    for _ in range(50):
        with socket.socket() as agent:
            agent.setblocking(False)
            agent.connect_ex(("127.0.0.1", bench.link.port))
            # One turn of the loop: it is accepted, and the acceptor does not know of it yet.
            await asyncio.sleep(0)
            await bench.link.cut()
            await bench.link.restore()
    # A socket that was left open is told of here, which fails the test.
    gc.collect()


async def test_a_black_hole_can_be_cut(bench: Bench) -> None:
    (agent_in, _), _ = await bench.connect()
    await bench.link.black_hole()
    await bench.dial()
    await bench.link.cut()
    assert bench.link.state is LinkState.CUT
    assert bench.link.open_connections == 0
    with pytest.raises(ConnectionResetError):
        await read(agent_in, 1)


async def test_an_agent_is_reset_when_the_hub_is_not_there(hub: Hub) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with WanLink("127.0.0.1", unused.getsockname()[1]) as link:
            reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
            with pytest.raises(ConnectionResetError):
                await read(reader, 1)
            writer.close()


async def test_a_port_that_is_taken_is_refused(bench: Bench) -> None:
    with pytest.raises(OSError, match="in use"):
        async with WanLink("127.0.0.1", 1, port=bench.link.port):
            pytest.fail("two links share a port")


async def test_an_error_of_the_user_leaves_the_link_as_itself(hub: Hub) -> None:
    async def fail_while_connected() -> None:
        async with WanLink("127.0.0.1", hub.port) as link:
            _, writer = await asyncio.open_connection("127.0.0.1", link.port)
            writer.close()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail_while_connected()


async def test_latency_is_added_each_way_and_once_for_the_handshake(bench: Bench) -> None:
    bench.link.delay(0.05)
    started_s = time.monotonic()
    (agent_in, agent_out), (hub_in, hub_out) = await bench.connect()
    assert time.monotonic() - started_s >= 0.1
    started_s = time.monotonic()
    agent_out.write(b"ping")
    assert await read(hub_in, 4) == b"ping"
    assert time.monotonic() - started_s >= 0.05
    hub_out.write(b"pong")
    assert await read(agent_in, 4) == b"pong"
    assert time.monotonic() - started_s >= 0.1


async def test_one_way_may_be_slower_than_the_other(bench: Bench) -> None:
    (agent_in, agent_out), (hub_in, hub_out) = await bench.connect()
    bench.link.delay(30.0, way=Way.UP)
    agent_out.write(b"slow")
    hub_out.write(b"fast")
    assert await read(agent_in, 4) == b"fast"
    await read_nothing(hub_in)


async def test_jitter_keeps_the_order_of_bytes(hub: Hub) -> None:
    async with WanLink("127.0.0.1", hub.port, dice=random.Random(5)) as link:
        _, agent_out = await asyncio.open_connection("127.0.0.1", link.port)
        hub_in, _ = await hub.accepted.get()
        link.delay(0.005, jitter_s=0.005)
        sent = bytes(range(200))
        for value in sent:
            agent_out.write(bytes([value]))
            await asyncio.sleep(0)
        assert await read(hub_in, len(sent)) == sent
        agent_out.close()


async def test_all_connections_share_the_capacity_of_the_link(bench: Bench) -> None:
    bench.link.throttle(100_000)
    pairs = [await bench.connect() for _ in range(3)]
    started_s = time.monotonic()
    for (_, agent_out), _ in pairs:
        agent_out.write(bytes(10_000))
    for _, (hub_in, _) in pairs:
        await read(hub_in, 10_000)
    elapsed_s = time.monotonic() - started_s
    # 30,000 bytes less the burst of 5,000, at 100,000 a second.
    assert elapsed_s >= 0.25


async def test_a_throttled_link_pushes_back_to_the_sender(bench: Bench) -> None:
    bench.link.throttle(1000)
    (_, agent_out), (hub_in, _) = await bench.connect()
    agent_out.write(bytes(4_000_000))
    # Neither the kernel's nor the link's buffers take it: the writer waits.
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_WITHIN_S):
            await agent_out.drain()
    assert agent_out.transport.get_write_buffer_size() > 3_000_000
    bench.link.throttle(None)
    await read(hub_in, 4_000_000)


async def test_a_receiver_that_does_not_read_pushes_back_to_the_sender(bench: Bench) -> None:
    (_, agent_out), (hub_in, hub_out) = await bench.connect()
    hub_out.transport.pause_reading()  # type: ignore[attr-defined]  # every socket transport reads
    agent_out.write(bytes(16_000_000))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(NOTHING_WITHIN_S):
            await agent_out.drain()
    hub_out.transport.resume_reading()  # type: ignore[attr-defined]
    await read(hub_in, 16_000_000)


async def test_lifting_the_limit_frees_who_waits_for_it(bench: Bench) -> None:
    bench.link.throttle(1)
    (_, agent_out), (hub_in, _) = await bench.connect()
    agent_out.write(bytes(10_000))
    await read(hub_in, 1448)
    bench.link.throttle(None)
    await read(hub_in, 10_000 - 1448)


async def test_a_stall_pauses_a_direction_for_its_length(bench: Bench) -> None:
    (_, agent_out), (hub_in, _) = await bench.connect()
    bench.link.stall(probability=1.0, length_s=0.1)
    started_s = time.monotonic()
    agent_out.write(b"lost once")
    await read(hub_in, 9)
    assert time.monotonic() - started_s >= 0.1


async def test_three_hundred_connections_pass_one_link(bench: Bench) -> None:
    async with asyncio.timeout(20):
        pairs = [await bench.connect() for _ in range(300)]
        for number, ((_, agent_out), _) in enumerate(pairs):
            agent_out.write(b"%04d" % number)
        said = {await hub_in.readexactly(4) for _, (hub_in, _) in pairs}
    assert len(said) == 300
    await bench.link.cut()
    assert bench.link.counters().connections == 300
