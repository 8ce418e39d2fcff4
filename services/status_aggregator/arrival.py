"""When a batch arrived at the hub.

What is read as it comes arrived just now. What had to wait in the stream, while the aggregator or its connection was down, arrived when
the stream says: one look at the first message of what was read together, so that no word is taken for younger than it is. How long it
waited is told by the server's clock alone, whatever that of this machine says; where that clock was set back meanwhile, nobody knows.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from outrider.bus.errors import BusError
from outrider.bus.jetstream import JetStream, Stored

LIVE_MS = 2_000
# Younger than this is taken as read the moment it came.
MANY = 256
# That many messages at once may have been waiting.
UNKNOWN_MS = -1


class Arrived(NamedTuple):
    """When messages that were read together arrived."""

    at_ms: int
    # by this machine's clock; all arrived then or later
    late_ms: int = 0
    # how long the first of them waited; UNKNOWN_MS if nobody knows
    is_exact: bool = True
    # `at_ms` is the time of each of them


class Arrival:
    """Tells arrival times of one stream."""

    def __init__(self, js: JetStream, stream: str, now_ms: Callable[[], int]) -> None:
        self._js, self._stream, self._now_ms = js, stream, now_ms
        self._behind = True
        self.lag_ms = 0

    def interrupted(self) -> None:
        """Tell that reading stopped for a while."""
        self._behind = True

    async def of(self, messages: list[Stored]) -> Arrived:
        """Return when messages arrived that were read together."""
        if not self._behind and len(messages) < MANY:
            self.lag_ms = 0
            return Arrived(self._now_ms())
        waited_ms = await self._waited_ms(messages[0].seq)
        arrived = arrived_before(self._now_ms(), waited_ms)
        self.lag_ms = max(0, arrived.late_ms)
        self._behind = not arrived.is_exact
        return arrived

    async def _waited_ms(self, seq: int) -> int:
        """Return how long ago the stream got a message."""
        try:
            answer = await self._js.api(f"STREAM.MSG.GET.{self._stream}", {"seq": seq})
            info = await self._js.api(f"STREAM.INFO.{self._stream}")
            return _unix_ms(info["ts"]) - _unix_ms(answer["message"]["time"])
        except (BusError, KeyError, ValueError):
            # The message has aged out, or the server does not say: what is not known to be old is new.
            return 0


def arrived_before(now_ms: int, waited_ms: int) -> Arrived:
    """Return when a message arrived that waited so long; less than nothing: the server's clock was set back meanwhile."""
    if waited_ms < -LIVE_MS:
        return Arrived(now_ms, UNKNOWN_MS, is_exact=False)
    if waited_ms <= LIVE_MS:
        return Arrived(now_ms)
    return Arrived(now_ms - waited_ms, waited_ms, is_exact=False)


def _unix_ms(text: str) -> int:
    """Read an RFC 3339 time, to the digits that Python reads."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return round(datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}+00:00").timestamp() * 1000)
