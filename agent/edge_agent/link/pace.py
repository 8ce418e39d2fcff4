"""How much one message may carry, so that it holds the link for a moment only. Pure.

What goes over a thin link goes one message behind the other: whatever is more urgent waits for the end of the one that is on its
way. So a message has about what the link carries in a second, found out from the messages before it: the time that each took,
less the shortest that any took, is what its bytes cost. It grows fast while the link shows no effort, and shrinks at once.
"""

from dataclasses import dataclass

HOLD_S = 1.0
FIRST_BYTES = 8 << 10
# 7 s on 9.6 kbit/s, once; three round trips from here to the most.
LEAST_BYTES = 1 << 10
MOST_BYTES = 256 << 10


@dataclass(slots=True)
class Pace:
    """One direction of a link."""

    part_bytes: int = FIRST_BYTES
    _round_trip_s: float = float("inf")

    def took(self, size_bytes: int, elapsed_s: float) -> None:
        """Take in that a message of a size was acknowledged after so long."""
        self._round_trip_s = min(self._round_trip_s, elapsed_s)
        carried_s = elapsed_s - self._round_trip_s
        if carried_s > 2 * HOLD_S:
            self._set(size_bytes * HOLD_S / carried_s)
        elif 2 * size_bytes >= self.part_bytes and carried_s < HOLD_S / 2:
            self._set(self.part_bytes * (4 if carried_s < HOLD_S / 4 else 2))

    def failed(self) -> None:
        """Take in that a message was not acknowledged in time."""
        self._set(self.part_bytes / 4)

    def connected(self) -> None:
        """Take in that there is another connection, whose way may be longer or shorter."""
        self._round_trip_s = float("inf")

    def _set(self, part_bytes: float) -> None:
        self.part_bytes = max(LEAST_BYTES, min(MOST_BYTES, int(part_bytes)))
