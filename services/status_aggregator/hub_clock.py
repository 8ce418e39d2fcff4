"""The hub's time, told twice: as people read it, and as it passes.

A clock can be set; ages and deadlines must not notice. Set back, it would make old words look new; so they are reckoned by the time
that passes. Of a clock that jumps forward nobody can say whether it was wrong before or the machine was asleep: what it skips counts
as passed, so a word may be taken for older than it is until the next one comes, and never for younger.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

_MS = 1_000_000
# Nanoseconds.
STEP_MS = 2_000
# Clocks that are disciplined drift apart by less, between two steps; a clock that was set by more has jumped.


class Moment(NamedTuple):
    """One moment."""

    unix_ms: int
    # for people and records; the next one may be earlier
    passed_ms: int
    # since some moment of this process: it only grows


def _passing_ns() -> int:
    # A machine that sleeps hears nothing.
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class HubClock:
    """Tells the moment."""

    def __init__(
        self, unix_ns: Callable[[], int] = time.time_ns, passing_ns: Callable[[], int] = _passing_ns
    ) -> None:
        self._unix_ns, self._passing_ns = unix_ns, passing_ns
        self._skipped_ms = 0
        self._lead_ms = self._read()[0] - self._read()[1]

    def now(self) -> Moment:
        """Return the moment."""
        unix_ms, passing_ms = self._read()
        jump_ms = unix_ms - passing_ms - self._lead_ms
        if abs(jump_ms) > STEP_MS:
            self._skipped_ms += max(0, jump_ms)
            self._lead_ms += jump_ms
        return Moment(unix_ms, passing_ms + self._skipped_ms)

    def _read(self) -> tuple[int, int]:
        return self._unix_ns() // _MS, self._passing_ns() // _MS
