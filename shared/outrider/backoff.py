"""Retry delays: exponential, capped, full jitter, so that a fleet never moves in step."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Delays as data. Attempt 0 waits between 0 and `first_s`, each next one between 0 and twice that, up to `cap_s`."""

    first_s: float = 1.0
    cap_s: float = 60.0

    def delay_s(self, attempt: int, rng: random.Random) -> float:
        """Return how long to wait after the given failed attempt (0 is the first), in seconds."""
        ceiling = self.first_s * 2 ** min(attempt, 62)
        return rng.uniform(0, min(self.cap_s, ceiling))
