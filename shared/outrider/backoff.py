"""Retry delays: exponential, capped, full jitter, so that a fleet never moves in step. Data and arithmetic, no waiting."""

import random
from dataclasses import dataclass

_EXPONENT_MAX = 64
# Beyond any cap; and a fleet's patience may go on for years.


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays grow from `first_s` by `factor` up to `cap_s`; each is drawn from zero to that."""

    first_s: float = 1.0
    cap_s: float = 60.0
    factor: float = 2.0

    def delay_s(self, attempt: int, rng: random.Random) -> float:
        """Return how long to wait after the given failed attempt (0 is the first), in seconds."""
        grown = self.first_s * self.factor ** min(max(attempt, 0), _EXPONENT_MAX)
        return rng.uniform(0, min(self.cap_s, grown))
