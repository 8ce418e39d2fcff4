"""Whether the replica's file can be written to, as far as it was tried; and when to try again. Pure."""

from dataclasses import dataclass

FIRST_S = 5.0
LAST_S = 300.0
CALM_S = 30.0
# A disk that has room for what is small only is still in trouble.


@dataclass(slots=True)
class Trouble:
    """Times are of a clock that only goes forward, in seconds."""

    why: str = ""
    """Empty: there is none."""
    _failed_at_s: float = float("-inf")
    _pause_s: float = FIRST_S

    def failed(self, why: str, now_s: float) -> bool:
        """Take in that a write failed; say whether that is news."""
        is_new, self.why, self._failed_at_s = not self.why, why, now_s
        return is_new

    def succeeded(self, now_s: float) -> None:
        """Take in that a write went well."""
        if now_s - self._failed_at_s >= CALM_S:
            self.why, self._pause_s = "", FIRST_S

    def try_again_in_s(self) -> float:
        """Return how long to wait after another failure."""
        self._pause_s = min(2 * self._pause_s, LAST_S)
        return self._pause_s
