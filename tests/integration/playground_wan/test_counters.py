from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Literal

import pytest

from outrider_playground.wan import WanLink

if TYPE_CHECKING:
    from tests.integration.playground_wan.conftest import Bench, Hub, Stream

SYN_BYTES, SEGMENT_BYTES = 60, 52
# tcpi_segs_out in struct tcp_info: what this very socket has put on the wire.
SEGS_OUT_OFFSET = 136


def emitted(writer: asyncio.StreamWriter) -> int:
    """Ask the sender's own kernel counter: independent of the link, which counts what arrives."""
    raw: socket.socket = writer.get_extra_info("socket")
    info = raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("=I", info, SEGS_OUT_OFFSET)[0])


async def ping_pong(agent: Stream, hub: Stream, rounds: int) -> None:
    for _ in range(rounds):
        agent[1].write(b"PING\r\n")
        await hub[0].readexactly(6)
        hub[1].write(b"PONG\r\n")
        await agent[0].readexactly(6)


async def test_payload_is_counted_each_way_to_the_byte(bench: Bench) -> None:
    before = bench.link.counters()
    (agent_in, agent_out), (hub_in, hub_out) = await bench.connect()
    agent_out.write(bytes(12_345))
    hub_out.write(bytes(777))
    async with asyncio.timeout(5):
        await hub_in.readexactly(12_345)
        await agent_in.readexactly(777)
    step = bench.link.counters() - before
    assert (step.up.payload_bytes, step.down.payload_bytes, step.connections) == (12_345, 777, 1)


async def test_measured_segments_are_those_that_agent_and_hub_emitted(bench: Bench) -> None:
    assert bench.link.metering == "kernel"
    agent, hub = await bench.connect()
    async with asyncio.timeout(5):
        await ping_pong(agent, hub, rounds=50)
    # No await in between: what the kernels say cannot change by the test's or the link's doing.
    counted = bench.link.counters()
    assert counted.up.segments == emitted(agent[1])
    # A server's kernel does not count the SYN-ACK among what its connection sent.
    assert counted.down.segments == emitted(hub[1]) + 1
    assert counted.up.wire_bytes == 300 + counted.up.segments * SEGMENT_BYTES + SYN_BYTES - SEGMENT_BYTES


async def test_a_graceful_end_is_counted_to_the_last_ack(bench: Bench) -> None:
    agent, hub = await bench.connect()
    agent[1].write_eof()
    async with asyncio.timeout(5):
        assert await hub[0].read() == b""
    hub[1].write_eof()
    async with asyncio.timeout(5):
        assert await agent[0].read() == b""
        await bench.link.until_open(0)
    counted = bench.link.counters()
    # SYN, ACK, FIN, ACK up; SYN-ACK, ACK, FIN down: the agent's FIN may be acknowledged by the hub's.
    assert counted.up.segments == 4
    assert counted.down.segments in {2, 3}


async def test_what_a_closed_connection_cost_stays_counted(bench: Bench) -> None:
    agent, hub = await bench.connect()
    async with asyncio.timeout(5):
        await ping_pong(agent, hub, rounds=3)
    counted = bench.link.counters()
    await bench.link.cut()
    assert bench.link.counters().total.payload_bytes == counted.total.payload_bytes
    assert bench.link.counters().total.segments >= counted.total.segments


@pytest.mark.parametrize("metering", ["kernel", "model"])
async def test_a_bulk_transfer_is_acknowledged_every_second_segment(
    hub: Hub, metering: Literal["kernel", "model"]
) -> None:
    size_bytes = 2_000_000
    async with WanLink("127.0.0.1", hub.port, metering=metering) as link:
        agent_in, agent_out = await asyncio.open_connection("127.0.0.1", link.port)
        _, hub_out = await hub.accepted.get()
        hub_out.write(bytes(size_bytes))
        async with asyncio.timeout(10):
            await agent_in.readexactly(size_bytes)
        counted = link.counters()
        agent_out.transport.abort()
    full_segments = size_bytes / 1448
    assert full_segments <= counted.down.segments <= full_segments * 1.1
    assert full_segments * 0.4 <= counted.up.segments <= full_segments * 1.1


async def test_the_model_comes_within_a_quarter_of_what_is_measured(hub: Hub) -> None:
    wire_bytes = {}
    for metering in ("kernel", "model"):
        async with WanLink("127.0.0.1", hub.port, metering=metering) as link:
            agent = await asyncio.open_connection("127.0.0.1", link.port)
            far_end = await hub.accepted.get()
            async with asyncio.timeout(5):
                await ping_pong(agent, far_end, rounds=50)
            wire_bytes[metering] = link.counters().total.wire_bytes
            agent[1].transport.abort()
    assert 0.75 <= wire_bytes["model"] / wire_bytes["kernel"] <= 1.05
