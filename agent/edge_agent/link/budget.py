"""Lanes, and what each may spend of the link's budget. Pure.

Lanes in the order in which they go: replies and acknowledgements, health transitions, state, what is desired (records and
bundles, which come down), journal, logs. Two budgets bound what is sent and received: bytes a second (a bucket that fills while nothing is sent) and bytes a day (from midnight UTC to midnight).
Higher lanes may spend what lower ones may not: a lane stops while a part of the budget is left for those above it. Nothing is
dropped for it: state waits as the newest document of each application, a bundle at the part that comes next, the journal on disk.
What is desired may use up the whole day: it is what the link is for.
"""

from dataclasses import dataclass, field
from enum import IntEnum

DAY_S = 86_400
BURST_S = 10.0
# The bucket holds what this many seconds bring: a batch goes whole, and is paid for afterwards.
STATE_EVERY_S = 900.0
# Once the day's part for state is spent, it goes this often: late, not lost.

# A message's way over NATS, TLS 1.3 and TCP/IPv4: protocol line and record, headers, and the acknowledgement's packet.
MESSAGE_OVERHEAD_BYTES = 190


class Lane(IntEnum):
    """What goes before what."""

    REPLY = 0
    HEALTH = 1
    STATE = 2
    DESIRED = 3
    JOURNAL = 4
    LOGS = 5


_FREE_OF_BUCKET = {
    Lane.REPLY: -10.0,
    Lane.HEALTH: -2.0,
    Lane.STATE: 0.0,
    Lane.DESIRED: 0.25,
    Lane.JOURNAL: 0.5,
    Lane.LOGS: 0.7,
}
"""Part of the bucket that must be in it for a lane to go; below 0: on credit."""
_PART_OF_DAY = {
    Lane.REPLY: 10.0,
    Lane.HEALTH: 10.0,
    Lane.STATE: 0.9,
    Lane.DESIRED: 1.0,
    Lane.JOURNAL: 0.7,
    Lane.LOGS: 0.5,
}
"""Part of the day's budget that a lane may use up, all lanes counted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a link may carry, both ways together. None: as much as it can."""

    bytes_per_s: float | None = None
    bytes_per_day: int | None = None


@dataclass(slots=True)
class Budget:
    """What was spent. Times are Unix seconds."""

    limits: Limits = field(default_factory=Limits)
    day: int = 0
    spent_today: int = 0
    spent: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))
    """Since the process began."""
    _bucket: float | None = None
    _filled_at_s: float = 0.0
    _state_at_s: float = 0.0

    def spend(self, lane: Lane, size_bytes: int, now_s: float) -> None:
        """Count what was sent or received."""
        self._advance(now_s)
        self.spent[lane] += size_bytes
        self.spent_today += size_bytes
        if self._bucket is not None:
            self._bucket -= size_bytes
        if lane is Lane.STATE:
            self._state_at_s = now_s

    def wait_s(self, lane: Lane, now_s: float) -> float:
        """Return how long a lane has to wait; 0: it may go."""
        self._advance(now_s)
        return max(self._second(lane), self._day(lane, now_s))

    @property
    def is_spent(self) -> bool:
        """Whether the day's budget is used up for the lowest lane that always has something: the journal."""
        allowed = self.limits.bytes_per_day
        return allowed is not None and self.spent_today >= allowed * _PART_OF_DAY[Lane.JOURNAL]

    def _second(self, lane: Lane) -> float:
        rate = self.limits.bytes_per_s
        if rate is None or self._bucket is None:
            return 0.0
        missing = _FREE_OF_BUCKET[lane] * rate * BURST_S - self._bucket
        return max(0.0, missing / rate)

    def _day(self, lane: Lane, now_s: float) -> float:
        allowed = self.limits.bytes_per_day
        if allowed is None or self.spent_today < allowed * _PART_OF_DAY[lane]:
            return 0.0
        until_midnight_s = (self.day + 1) * DAY_S - now_s
        if lane is Lane.STATE:
            return min(until_midnight_s, max(0.0, self._state_at_s + STATE_EVERY_S - now_s))
        return until_midnight_s

    def _advance(self, now_s: float) -> None:
        day = int(now_s // DAY_S)
        if day > self.day:
            self.spent_today = 0
        # A clock that ran ahead and was set back must not make a day of years.
        self.day = day
        rate = self.limits.bytes_per_s
        if rate is None:
            self._bucket = None
            return
        if self._bucket is None:
            self._bucket = rate * BURST_S
        elif now_s > self._filled_at_s:
            self._bucket = min(rate * BURST_S, self._bucket + (now_s - self._filled_at_s) * rate)
        self._filled_at_s = now_s
