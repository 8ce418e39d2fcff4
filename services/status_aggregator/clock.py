"""How far an edge's clock is from the hub's. Pure.

The hub's time of arrival less the edge's time of sending is the offset plus the time under way, which is never negative: the
least of several is the nearest. So a clock of the edge that is set forward is followed at once. One that is set back looks like a
batch that was long under way, until a second one says the same: two batches are not late by the same minutes by chance.
"""

from typing import NamedTuple

SAMPLES_MAX = 8
STEP_MS = 30_000
# A sample that is further off than this is late, or the first after one of the clocks was set.
AGREE_MS = 5_000
# Two such samples that differ by less tell of a clock.
PLAUSIBLE_MAX_MS = 1 << 47
# The year 6429: what is beyond is no time, and sums of it would not fit where they are stored.


class ClockOffset(NamedTuple):
    """Hub clock minus edge clock, from the newest batches since the edge connected."""

    samples_ms: tuple[int, ...] = ()

    def heard(self, observed_at_ms: int, received_at_ms: int) -> "ClockOffset":
        """Take up one batch."""
        samples = (*self.samples_ms, received_at_ms - observed_at_ms)[-SAMPLES_MAX:]
        return ClockOffset(samples[-2:] if _was_set(samples) else samples)

    @property
    def offset_ms(self) -> int:
        """The best estimate; 0 as long as there is none."""
        return min(self.samples_ms, default=0)

    def corrected_ms(self, observed_at_ms: int, received_at_ms: int) -> int:
        """Return an edge's time by the hub's clock: never later than its message arrived."""
        return min(observed_at_ms + self.offset_ms, received_at_ms)


def _was_set(samples: tuple[int, ...]) -> bool:
    """Whether the last two samples agree that all before them are of another clock."""
    if len(samples) < 3:
        return False
    *before, one, other = samples
    return abs(one - other) < AGREE_MS and min(one, other) > min(before) + STEP_MS


def is_plausible(observed_at_ms: int) -> bool:
    """Whether a time from an edge can be worked with."""
    return 0 <= observed_at_ms < PLAUSIBLE_MAX_MS
