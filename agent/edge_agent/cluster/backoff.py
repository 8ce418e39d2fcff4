"""Delays between attempts: exponential, capped, full jitter. Data and arithmetic, no waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays grow from `first_s` by `factor` up to `cap_s`; each is drawn from zero to that."""

    first_s: float
    cap_s: float
    factor: float = 2.0

    def delay_s(self, attempt: int, chance: random.Random) -> float:
        """Return the delay after the given number of failed attempts, from 1."""
        # Above 2**64 the power is beyond any cap, and a fleet's patience may go on for years.
        grown = self.first_s * self.factor ** min(max(attempt - 1, 0), 64)
        return chance.uniform(0.0, min(self.cap_s, grown))
