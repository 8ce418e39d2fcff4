"""When a batch arrived at the hub.

What is read as it comes arrived just now. What had to wait in the stream, while the aggregator or its connection was down, arrived when
the stream says: one look at the first message of what was read together, so that no word is taken for younger than it is.
"""

from collections.abc import Callable
from datetime import datetime

from outrider.bus.errors import BusError
from outrider.bus.jetstream import JetStream, Stored

LIVE_MS = 2_000
# Younger than this is taken as read the moment it came.
MANY = 256
# That many messages at once may have been waiting.


class Arrival:
    """Tells arrival times of one stream."""

    def __init__(self, js: JetStream, stream: str, now_ms: Callable[[], int]) -> None:
        self._js, self._stream, self._now_ms = js, stream, now_ms
        self._behind = True
        self.lag_ms = 0

    def interrupted(self) -> None:
        """Tell that reading stopped for a while."""
        self._behind = True

    async def of(self, messages: list[Stored]) -> tuple[int, bool]:
        """Return the time in ms at or before which all arrived, and whether that is the time of each of them."""
        now_ms = self._now_ms()
        if not self._behind and len(messages) < MANY:
            self.lag_ms = 0
            return now_ms, True
        stored_ms = min(await self._stored_ms(messages[0].seq, now_ms), now_ms)
        self.lag_ms = now_ms - stored_ms
        self._behind = self.lag_ms > LIVE_MS
        return (stored_ms, False) if self._behind else (now_ms, True)

    async def _stored_ms(self, seq: int, now_ms: int) -> int:
        try:
            answer = await self._js.api(f"STREAM.MSG.GET.{self._stream}", {"seq": seq})
            return round(datetime.fromisoformat(_microseconds(answer["message"]["time"])).timestamp() * 1000)
        except (BusError, KeyError, ValueError):
            # The message has aged out, or the server does not say: what is not known to be old is new.
            return now_ms


def _microseconds(text: str) -> str:
    """Cut an RFC 3339 time to the digits that Python reads."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return f"{seconds}.{fraction[:6]:0<6}+00:00"
