"""How a link treats what passes through it: latency, jitter, capacity, loss-like pauses. No sockets here."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from outrider_playground.wan.counters import MSS_BYTES


@dataclass(frozen=True)
class Conditions:
    """One direction of a link. The default is a perfect one."""

    # Time from reading a byte to handing it on: uniform in latency_s +/- jitter_s, never below zero.
    latency_s: float = 0.0
    jitter_s: float = 0.0
    # Capacity shared by all connections of the link; None is no limit. Counted in payload bytes.
    bytes_per_s: float | None = None
    # Chance that a segment is lost, and how long TCP holds the direction up until it is sent again.
    stall_probability: float = 0.0
    stall_s: float = 0.0

    def __post_init__(self) -> None:
        if self.latency_s < 0 or self.jitter_s < 0 or self.stall_s < 0:
            raise ValueError("a link's latency_s, jitter_s and stall_s can't be negative")
        if self.bytes_per_s is not None and self.bytes_per_s <= 0:
            raise ValueError("a link's bytes_per_s must be above zero; use None for no limit")
        if not 0 <= self.stall_probability <= 1:
            raise ValueError("a link's stall_probability must be between 0 and 1")


class TokenBucket:
    """Capacity in bytes per second with a burst of `BURST_S` seconds' worth, at least one segment."""

    # How much of an idle link's capacity may be used at once. Measured in seconds.
    BURST_S = 0.05

    def __init__(self, bytes_per_s: float, now_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._burst_bytes = max(bytes_per_s * self.BURST_S, float(MSS_BYTES))
        self._tokens_bytes = self._burst_bytes
        self._filled_at_s = now_s

    def wait_s(self, size_bytes: int, now_s: float) -> float:
        """Tell how long until `size_bytes` may pass; zero: now. What exceeds the burst passes on credit."""
        needed_bytes = min(float(size_bytes), self._burst_bytes)
        return max(0.0, (needed_bytes - self._filled(now_s)) / self._bytes_per_s)

    def take(self, size_bytes: int, now_s: float) -> None:
        """Use the capacity up; credit is repaid before anything else passes."""
        self._tokens_bytes = self._filled(now_s) - size_bytes
        self._filled_at_s = now_s

    def _filled(self, now_s: float) -> float:
        gained = (now_s - self._filled_at_s) * self._bytes_per_s
        return min(self._burst_bytes, self._tokens_bytes + gained)


class Timetable:
    """When each chunk of one connection's direction is handed on: later than it was read, never out of order."""

    def __init__(self, conditions: Callable[[], Conditions], dice: random.Random) -> None:
        self._conditions = conditions
        self._dice = dice
        self._last_due_s = float("-inf")

    def due_s(self, size_bytes: int, now_s: float) -> float:
        """Decide when a chunk that was read at `now_s` is due. A stall holds up all that follows it."""
        conditions = self._conditions()
        due_s = now_s + self._latency_s(conditions)
        if self._stalls(conditions, segments=-(-size_bytes // MSS_BYTES)):
            due_s = max(due_s, self._last_due_s) + conditions.stall_s
        self._last_due_s = max(due_s, self._last_due_s)
        return self._last_due_s

    def _latency_s(self, conditions: Conditions) -> float:
        if not conditions.jitter_s:
            return conditions.latency_s
        jitter_s = self._dice.uniform(-conditions.jitter_s, conditions.jitter_s)
        return max(0.0, conditions.latency_s + jitter_s)

    def _stalls(self, conditions: Conditions, segments: int) -> bool:
        if not conditions.stall_probability:
            return False
        passes = (1 - conditions.stall_probability) ** segments
        return self._dice.random() >= passes
