"""One TCP connection through the link: the agent's socket, the hub's socket, a pump each way.

It ends in one of two ways. Gracefully, when both sides have closed and all bytes are handed on. Or by a reset of
both sides: either side broke, or the link was cut (the task was cancelled); what was under way is then lost.
"""

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from outrider_playground.wan.conditions import Conditions, Timetable
from outrider_playground.wan.counters import MSS_OPTION_BYTES, Count, Way
from outrider_playground.wan.metering import KernelMeter, ModelMeter
from outrider_playground.wan.pump import Passage, Pump

# Small, so that back pressure reaches the sender after tens of kilobytes and not after the kernel's megabytes.
SOCKET_BUFFER_BYTES = 1 << 16
# struct linger: on, zero seconds. close() then sends RST and drops what is unsent.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def shape_socket(connection: socket.socket) -> None:
    """Prepare a socket before it listens or connects: segments as on Ethernet, small buffers, no Nagle."""
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, MSS_OPTION_BYTES)


@dataclass(frozen=True)
class Route:
    """What all connections of a link share."""

    target_host: str
    target_port: int
    passages: Mapping[Way, Passage]
    conditions: Callable[[Way], Conditions]
    dice: random.Random
    clock: Callable[[], float]

    def round_trip_s(self) -> float:
        """Tell how long it takes at present to be answered, jitter left out."""
        return sum(self.conditions(way).latency_s for way in Way)


class Connection:
    """Carries one accepted connection. Whoever runs `run` calls `close` afterwards, however it ended."""

    def __init__(self, agent: socket.socket, route: Route, *, kernel_counts: bool) -> None:
        self._agent = agent
        self._hub: socket.socket | None = None
        self._route = route
        self._meter = KernelMeter(agent) if kernel_counts else ModelMeter()
        self._finished = False

    async def run(self) -> None:
        """Reach the hub and carry until both sides have closed or one breaks."""
        await self._route.passages[Way.UP].gate.wait()
        await asyncio.sleep(self._route.round_trip_s())
        try:
            self._hub = await self._connect()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(Way.UP, self._agent, self._hub).run(), name="pump up")
                tasks.create_task(self._pump(Way.DOWN, self._hub, self._agent).run(), name="pump down")
            self._finished = True
        except* OSError:
            # Either side broke or the hub refused: `close` tells both by a reset.
            pass

    def count(self, way: Way) -> Count:
        """Add up one direction. Not after `close`: a closed socket tells nothing."""
        return self._meter.count(way, self._route.clock())

    def close(self) -> None:
        """Close both sockets; unless all was handed on, by RST, so that both peers fail at once."""
        for connection in (self._agent, self._hub):
            if connection is None:
                continue
            if not self._finished:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            connection.close()

    async def _connect(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(
            self._route.target_host, self._route.target_port, type=socket.SOCK_STREAM
        )
        family, kind, protocol, _, address = addresses[0]
        hub = socket.socket(family, kind, protocol)
        try:
            shape_socket(hub)
            await loop.sock_connect(hub, address)
        except BaseException:
            hub.close()
            raise
        if isinstance(self._meter, KernelMeter):
            self._meter.hub = hub
        return hub

    def _pump(self, way: Way, sender: socket.socket, receiver: socket.socket) -> Pump:
        timetable = Timetable(lambda: self._route.conditions(way), self._route.dice)
        return Pump(sender, receiver, self._route.passages[way], timetable, self._meter)
