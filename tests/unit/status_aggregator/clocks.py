"""A hub's clock that a test sets, and lets pass."""

from dataclasses import dataclass, field

from status_aggregator.hub_clock import HubClock, Moment

_MS = 1_000_000


@dataclass
class SetClock:
    """Time that passes when told to."""

    passed_ms: int = 10_000
    unix_ms: int = 1_796_000_000_000
    clock: HubClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = HubClock(lambda: self.unix_ms * _MS, lambda: self.passed_ms * _MS)

    def passes(self, ms: int) -> None:
        """Let time pass."""
        self.passed_ms += ms
        self.unix_ms += ms

    def is_set(self, by_ms: int) -> None:
        """Set the clock, forward or back."""
        self.unix_ms += by_ms

    def now(self) -> Moment:
        """Return the moment."""
        return self.clock.now()
