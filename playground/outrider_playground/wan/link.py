"""The link itself: accepts the agent's connections and carries each to the hub, under conditions that can change.

States: *up*; *cut* (connections are reset, further ones refused: the uplink is unplugged and the router says so);
*black-holed* (connections stay, no byte moves, further ones are accepted and hang: the uplink is dead and nobody
says so). While black-holed neither an end of stream nor a reset crosses; what was under way goes on when the
link is restored, as TCP's retransmissions would. One difference from a real black hole: a connection attempt is
accepted by this machine's kernel, so the agent hangs at its first read and not in connect().

Setting up a connection takes one round trip at the conditions of that moment. The port stays the link's own while
it is cut, so that it can be restored on the same one. Every connection is one task in the link's task group; a
cut or the end of the link cancels it and resets both sides.
"""

import asyncio
import random
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from types import TracebackType
from typing import Literal, Self

from outrider_playground.wan.capacity import Capacity
from outrider_playground.wan.conditions import Conditions
from outrider_playground.wan.connection import Connection, Route, shape_socket
from outrider_playground.wan.counters import Count, Counters, Way
from outrider_playground.wan.metering import kernel_counts_segments
from outrider_playground.wan.pump import Passage, readable

# A fleet that returns at once must find room; the kernel caps it at net.core.somaxconn.
LISTEN_BACKLOG = 4096


class LinkState(Enum):
    """What the link does with connections."""

    UP = "up"
    CUT = "cut"
    BLACK_HOLED = "black-holed"


class WanLink:
    """A TCP proxy on a loopback port: `async with WanLink("127.0.0.1", hub_port) as link: ... link.port`.

    It carries any protocol over TCP: NATS, TLS, WebSocket. All methods are called from the loop that it runs in.
    `dice` decides jitter and stalls; hand in a seeded one for a run that can be repeated.
    """

    def __init__(
        self,
        target_host: str,
        target_port: int,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        dice: random.Random | None = None,
        metering: Literal["kernel", "model"] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.port = port
        self.state = LinkState.UP
        self.metering = metering or ("kernel" if kernel_counts_segments() else "model")
        self._conditions = {way: Conditions() for way in Way}
        # Set while bytes may pass that way; clear while it is black-holed.
        self._gates = {way: asyncio.Event() for way in Way}
        for gate in self._gates.values():
            gate.set()
        self._passages = {way: Passage(way, self._gates[way], Capacity(clock), clock) for way in Way}
        dice = dice or random.Random()
        self._route = Route(target_host, target_port, self._passages, self.conditions, dice, clock)
        self._tasks = asyncio.TaskGroup()
        # Bound, never listening: keeps the port ours while the link is cut.
        self._reservation: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._acceptor: asyncio.Task[None] | None = None
        self._open: dict[asyncio.Task[None], Connection] = {}
        # Set, and replaced, whenever a connection comes or goes.
        self._moved = asyncio.Event()
        self._accepted = 0
        self._ended = {way: Count() for way in Way}

    async def __aenter__(self) -> Self:
        """Open the port. `port` holds the number afterwards, also when 0 was asked for. OSError: it is taken."""
        _refuse_taken(self.host, self.port)
        self._reservation = _bound(self.host, self.port)
        self.port = self._reservation.getsockname()[1]
        await self._tasks.__aenter__()
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Reset every connection and give the port back."""
        await self._drop_everything()
        if self._reservation is not None:
            self._reservation.close()
        # The body's own error is not the group's: only a cancellation is, which may be the group's doing.
        ours = isinstance(error, asyncio.CancelledError)
        await self._tasks.__aexit__(kind if ours else None, error if ours else None, trace if ours else None)

    async def cut(self) -> None:
        """Reset all connections and refuse further ones until restored. On return it is done."""
        self.state = LinkState.CUT
        await self._drop_everything()

    async def black_hole(self, way: Way | None = None) -> None:
        """Keep connections but move no byte; let further ones hang. With `way`, bytes of the other direction go on arriving."""
        for one in _ways(way):
            self._gates[one].clear()
        self.state = LinkState.BLACK_HOLED
        self._listen()

    async def restore(self) -> None:
        """End a cut or a black hole. Latency, capacity and stalls stay as they are."""
        self.state = LinkState.UP
        for gate in self._gates.values():
            gate.set()
        self._listen()

    def delay(self, latency_s: float, jitter_s: float = 0.0, way: Way | None = None) -> None:
        """Hand each byte on `latency_s` +/- `jitter_s` after it was read, in order; both ways, or only `way`.

        It holds for what is read from then on.
        """
        for one in _ways(way):
            self._conditions[one] = replace(self._conditions[one], latency_s=latency_s, jitter_s=jitter_s)

    def throttle(self, bytes_per_s: float | None, way: Way | None = None) -> None:
        """Limit the capacity that all connections share; None lifts the limit. Both ways, or only `way`."""
        for one in _ways(way):
            self._conditions[one] = replace(self._conditions[one], bytes_per_s=bytes_per_s)
            self._passages[one].capacity.set(bytes_per_s)

    def stall(self, probability: float, length_s: float, way: Way | None = None) -> None:
        """Hold a connection's direction up for `length_s` with this probability per segment, as a loss does."""
        for one in _ways(way):
            self._conditions[one] = replace(
                self._conditions[one], stall_probability=probability, stall_s=length_s
            )

    def conditions(self, way: Way) -> Conditions:
        """Tell the conditions of one direction."""
        return self._conditions[way]

    def counters(self) -> Counters:
        """Add up what the link has carried so far; `metering` says how exactly. Subtract snapshots."""
        return Counters(self._count(Way.UP), self._count(Way.DOWN), self._accepted)

    @property
    def open_connections(self) -> int:
        """How many connections the link holds, those that hang in a black hole included."""
        return len(self._open)

    async def until_open(self, connections: int) -> None:
        """Wait until the link holds exactly this many connections."""
        while len(self._open) != connections:
            await self._moved.wait()

    def _count(self, way: Way) -> Count:
        return sum((connection.count(way) for connection in self._open.values()), start=self._ended[way])

    def _listen(self) -> None:
        if self._acceptor is not None:
            return
        self._listener = _bound(self.host, self.port)
        self._listener.listen(LISTEN_BACKLOG)
        self._acceptor = self._tasks.create_task(self._accept(self._listener), name=f"accept on {self.port}")

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            await readable(listener)
            # Without a pause until it is noted: a cut must not come between, and leave it open.
            try:
                agent, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue
            agent.setblocking(False)
            self._accepted += 1
            connection = Connection(agent, self._route, kernel_counts=self.metering == "kernel")
            task = self._tasks.create_task(connection.run(), name=f"connection {self._accepted}")
            self._open[task] = connection
            self._announce()
            # A callback and not the coroutine's own end: a task cancelled before its first step runs none of it.
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        connection = self._open.pop(task)
        self._announce()
        for way in Way:
            self._ended[way] += connection.count(way)
        connection.close()

    def _announce(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _drop_everything(self) -> None:
        tasks = list(self._open)
        if self._acceptor is not None:
            tasks.append(self._acceptor)
            self._acceptor = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def _ways(way: Way | None) -> tuple[Way, ...]:
    return tuple(Way) if way is None else (way,)


def _refuse_taken(host: str, port: int) -> None:
    """Raise OSError where someone listens: SO_REUSEPORT alone would share the port with another link in silence."""
    with _tcp_socket(host) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _bound(host: str, port: int) -> socket.socket:
    bound = _tcp_socket(host)
    try:
        shape_socket(bound)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The reservation and the listener share the port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def _tcp_socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
