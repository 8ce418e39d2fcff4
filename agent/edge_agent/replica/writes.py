"""How much is written to the file, and when that is enough for a day. Pure.

Flash wears with every page. What correctness needs is written at once, whatever it costs: records with their bundles, requests,
which hooks were begun. Everything else (verdicts, what an operation says, the journal) is routine: it is written at once while the
day's budget lasts, and after that gathered in memory and written together, every quarter of an hour. So a day costs the budget,
what correctness needs, and at most 96 writes of what changed; a killed agent loses a quarter of an hour of routine.
"""

from dataclasses import dataclass

DAY_S = 86_400
GATHER_S = 900.0
BYTES_PER_DAY = 64 << 20
# 23 GiB a year: one part in a hundred of what a small eMMC endures, at ten times as much written by its controller.


@dataclass(slots=True)
class Writes:
    """What was written. Times are Unix seconds; days begin at midnight UTC."""

    bytes_per_day: int = BYTES_PER_DAY
    day: int = 0
    today: int = 0
    total: int = 0
    """Since the process began."""
    _gathered_at_s: float = 0.0

    def count(self, size_bytes: int, now_s: float) -> None:
        """Count what was written."""
        was_spent = self.is_spent(now_s)
        self.today += size_bytes
        self.total += size_bytes
        if self.is_spent(now_s) and not was_spent:
            # All was written up to here.
            self._gathered_at_s = now_s

    def recall(self, day: int, size_bytes: int, now_s: float) -> None:
        """Go on from what an earlier process counted, if that is of this day."""
        self._advance(now_s)
        if day == self.day:
            self.today += size_bytes

    def is_spent(self, now_s: float) -> bool:
        """Whether routine writes are gathered."""
        self._advance(now_s)
        return self.today >= self.bytes_per_day

    def due_in_s(self, now_s: float) -> float:
        """Return when what was gathered is to be written; 0: now."""
        if not self.is_spent(now_s):
            return 0.0
        waited_s = now_s - self._gathered_at_s
        # A clock that was set back must not hold it up.
        return max(0.0, GATHER_S - waited_s) if waited_s >= 0 else 0.0

    def gathered(self, now_s: float) -> None:
        """Take in that what was gathered is being written."""
        self._gathered_at_s = now_s

    def _advance(self, now_s: float) -> None:
        day = int(now_s // DAY_S)
        if day != self.day:
            self.day, self.today = day, 0
