"""Carries one direction of one connection: read, wait for capacity, wait out the latency, hand on.

Two loops with a bounded line of chunks in between: `_collect` reads from the sender, `_deliver` writes to the
receiver when a chunk is due. What the receiver does not take fills the line (`IN_FLIGHT_BYTES`) and then the
kernel's buffers, which the link keeps small: the sender soon feels it, as it would on a thin link. The end of the
stream travels through the line like data. Both loops stop at the gate while the link is black-holed.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from outrider_playground.wan.capacity import Capacity
from outrider_playground.wan.conditions import Timetable
from outrider_playground.wan.counters import MSS_BYTES, Way
from outrider_playground.wan.metering import Meter

# Most bytes under way at once in one direction: 8 Mbit/s at one second. Reading stops above it.
IN_FLIGHT_BYTES = 1 << 20
# Most bytes read at once from an unlimited link.
READ_BYTES = 1 << 16
_END = b""


@dataclass(frozen=True)
class Passage:
    """What the pumps of one direction share."""

    way: Way
    # Set while bytes may pass; clear while the link is black-holed.
    gate: asyncio.Event
    capacity: Capacity
    clock: Callable[[], float]


class Pump:
    """One direction of one connection."""

    def __init__(
        self,
        sender: socket.socket,
        receiver: socket.socket,
        passage: Passage,
        timetable: Timetable,
        meter: Meter,
    ) -> None:
        self._sender = sender
        self._receiver = receiver
        self._passage = passage
        self._timetable = timetable
        self._meter = meter
        self._line: deque[tuple[float, bytes]] = deque()
        self._line_bytes = 0
        self._line_moved = asyncio.Event()

    async def run(self) -> None:
        """Carry until the sender has closed and all is handed on. Raises OSError when either side breaks."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._collect(), name=f"collect {self._passage.way.value}")
            tasks.create_task(self._deliver(), name=f"deliver {self._passage.way.value}")

    async def _collect(self) -> None:
        chunk = None
        while chunk != _END:
            chunk = await self._read()
            await self._passage.gate.wait()
            now_s = self._passage.clock()
            if chunk == _END:
                self._meter.ended(self._passage.way, now_s)
            else:
                self._meter.data(self._passage.way, len(chunk), now_s)
                await self._passage.capacity.pass_through(len(chunk))
            await self._enqueue(chunk)

    async def _read(self) -> bytes:
        await self._passage.gate.wait()
        size_bytes = MSS_BYTES if self._passage.capacity.limited else READ_BYTES
        try:
            return await asyncio.get_running_loop().sock_recv(self._sender, size_bytes)
        except OSError:
            # A reset does not cross a black hole either.
            await self._passage.gate.wait()
            raise

    async def _enqueue(self, chunk: bytes) -> None:
        while self._line_bytes >= IN_FLIGHT_BYTES:
            await self._moved()
        due_s = self._timetable.due_s(len(chunk), self._passage.clock())
        self._line.append((due_s, chunk))
        self._line_bytes += len(chunk)
        self._line_moved.set()

    async def _deliver(self) -> None:
        chunk = None
        while chunk != _END:
            while not self._line:
                await self._moved()
            due_s, chunk = self._line[0]
            if (wait_s := due_s - self._passage.clock()) > 0:
                await asyncio.sleep(wait_s)
            await self._hand_on(chunk)
            # Only after it is handed on: bytes that the receiver does not take count as under way.
            self._line.popleft()
            self._line_bytes -= len(chunk)
            self._line_moved.set()

    async def _hand_on(self, chunk: bytes) -> None:
        """Write as `sock_sendall` does, but stop at the gate in mid-chunk too."""
        unsent = memoryview(chunk)
        while unsent:
            await self._passage.gate.wait()
            try:
                unsent = unsent[self._receiver.send(unsent) :]
            except BlockingIOError:
                await _writable(self._receiver)
        if chunk == _END:
            await self._passage.gate.wait()
            self._receiver.shutdown(socket.SHUT_WR)

    async def _moved(self) -> None:
        self._line_moved.clear()
        await self._line_moved.wait()


async def readable(listener: socket.socket) -> None:
    """Wait until there is something to read, or to accept."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(listener, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_reader(listener)


async def _writable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(connection, _settle, ready)
    try:
        await ready
    finally:
        loop.remove_writer(connection)


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
