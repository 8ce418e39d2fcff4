"""Whether the hub can be reached at this moment, found out by knocking: a TCP handshake, some 60 bytes, and no more.

An outage ends when the link is back, not when a backoff has run out. So while nothing answers, somebody knocks about once a
second, for as long as it takes; a knock that is lost with the link delays no other. What stood in the way tells how much of a
hurry is right: after *silence* it was this edge's own link, after *refusals* it may have been the hub, which a whole fleet
is waiting for.
"""

import asyncio
import random
import socket
from collections.abc import Sequence
from enum import IntEnum
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

KNOCK_EVERY_S = 1.0
# On average. Up to 10 MB a day if it goes on all day over a link that carries it to a hub that is gone (`knock_every_s`).
IMPATIENT_S, PATIENT_S = 0.95, 5.0
PATIENT_EACH = 4
# Every fourth knock waits for an answer that comes a long way; the others would only be sent twice.
DEFAULT_PORTS = {"nats": 4222, "tls": 4222, "ws": 80, "wss": 443}


class Absence(IntEnum):
    """What stood in the way until a server answered."""

    NONE = 0
    SILENCE = 1
    REFUSAL = 2


class Found(NamedTuple):
    """A server that takes connections."""

    server: str
    absence: Absence


Address = tuple[Any, ...]
Place = tuple[socket.AddressFamily, Address]


class Reach:
    """Knocks at servers, one picked at random each time."""

    def __init__(self, servers: Sequence[str], rng: random.Random) -> None:
        self._servers, self._rng = servers, rng
        self._places: dict[str, list[Place]] = {}
        # Where each answered last: names can't be looked up while the link is down.
        self._lookups: dict[str, asyncio.Future[list[Place]]] = {}
        # One at a time: each takes a thread from those who work, and without a link a long while.

    def remember(self, server: str, place: Place) -> None:
        """A server has answered there."""
        self._places[server] = [place]

    async def found(self, knock_every_s: float = KNOCK_EVERY_S) -> Found:
        """Wait until a server takes a connection."""
        absence = Absence.NONE
        async with asyncio.TaskGroup() as tasks:
            knocks: set[asyncio.Task[Found]] = set()
            for number in count():
                patient = number % PATIENT_EACH == PATIENT_EACH - 1
                knock = self.knock(self._rng.choice(self._servers), patient=patient)
                knocks.add(tasks.create_task(knock, name="knock"))
                knocks, answers = await _answers(knocks, knock_every_s * self._rng.uniform(0.5, 1.5))
                for answer in answers:
                    if answer.absence is Absence.NONE:
                        for one in knocks:
                            one.cancel()
                        return Found(answer.server, absence)
                    absence = max(absence, answer.absence)
        raise AssertionError("knocking never ends by itself")

    async def knock(self, server: str, *, patient: bool = False) -> Found:
        """Say what a server answers to a connection that is closed again at once. A patient one looks up its name anew."""
        absence, patience_s = Absence.SILENCE, PATIENT_S if patient else IMPATIENT_S
        try:
            async with asyncio.timeout(patience_s):
                places = await self._looked_up(server, anew=patient)
                for place in places:
                    absence = await _answer(place, patience_s / len(places))
                    if absence is Absence.NONE:
                        self.remember(server, place)
                        break
        except (OSError, TimeoutError):
            pass
        return Found(server, absence)

    async def _looked_up(self, server: str, *, anew: bool) -> list[Place]:
        if server in self._places and not anew:
            return self._places[server]
        lookup = self._lookups.get(server)
        if lookup is None or lookup.done():
            lookup = asyncio.get_running_loop().run_in_executor(None, _look_up, server)
            # Whoever waited may have gone.
            lookup.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            self._lookups[server] = lookup
        return await asyncio.shield(lookup)


def _look_up(server: str) -> list[Place]:
    """Return the addresses of a server; OSError. Blocks."""
    parts = urlsplit(server)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme, DEFAULT_PORTS["nats"])
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


async def _answer(place: Place, within_s: float) -> Absence:
    family, address = place
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            async with asyncio.timeout(within_s):
                await asyncio.get_running_loop().sock_connect(sock, address)
    except ConnectionError:
        return Absence.REFUSAL
    except (OSError, TimeoutError):
        return Absence.SILENCE
    return Absence.NONE


async def _answers(
    knocks: set[asyncio.Task[Found]], within_s: float
) -> tuple[set[asyncio.Task[Found]], list[Found]]:
    """Wait for so long, or until a server has answered; return the knocks without an answer, and the answers."""
    loop = asyncio.get_running_loop()
    until_s, answers = loop.time() + within_s, list[Found]()
    while knocks and (left_s := until_s - loop.time()) > 0:
        done, knocks = await asyncio.wait(knocks, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        answers += [one.result() for one in done]
        if any(answer.absence is Absence.NONE for answer in answers):
            return knocks, answers
    await asyncio.sleep(max(0.0, until_s - loop.time()))
    return knocks, answers
