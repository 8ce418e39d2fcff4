"""The holds that stand, and which of them an application is held by at this moment. No I/O.

Two clocks: the site's, which a hold with an `until` goes by, and one that only runs forward, by which no hold lasts longer than
its length, whatever becomes of the site's clock. A hold that was asked for as a length goes by the second alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from edge_agent.hold.model import Hold, longest_first

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Key = str
"""`configmap`, `site` (the whole cluster), or `site/<application>`."""

CLOCK_SET = timedelta(minutes=1)
# The clocks have come apart by more than they drift: somebody has set the site's.


@dataclass(slots=True)
class _Standing:
    hold: Hold
    ends_at_s: float


@dataclass(frozen=True, slots=True)
class Held:
    """What an application is held by: the hold that ends last, in words, and how long that is."""

    why: str
    for_s: float


class Holds:
    """The holds of a cluster."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        now_s: Callable[[], float],
        zone: Callable[[], tzinfo] = lambda: UTC,
    ) -> None:
        """`clock`: the site's; `now_s`: seconds of a clock that only runs forward; `zone`: the site's."""
        self.zone = zone
        self._clock, self._now_s = clock, now_s
        self._standing: dict[Key, _Standing] = {}

    def put(self, key: Key, hold: Hold | None) -> bool:
        """Set a hold in place of the one under this key, or take that away; say whether anything is another now."""
        before = self._standing.get(key)
        left_s = min((hold.until - self._clock()), hold.length).total_seconds() if hold else 0.0
        if hold is None or left_s <= 0:
            return self._standing.pop(key, None) is not None
        if before is not None and before.hold == hold:
            return False
        self._standing[key] = _Standing(hold, self._now_s() + left_s)
        return True

    def on(self, app: str) -> Held | None:
        """Return what an application is held by; None: nothing."""
        found = [one for one in self._standing.values() if one.hold.covers(app)]
        left_s = {id(one): self._left_s(one) for one in found}
        found = [one for one in found if left_s[id(one)] > 0]
        if not found:
            return None
        last = max(found, key=lambda one: (left_s[id(one)], one.hold.source))
        return Held(last.hold.sentence(self.zone()), left_s[id(last)])

    def ends_in_s(self) -> float | None:
        """Return after how many seconds the next hold ends; None: there is none."""
        return min((max(0.0, self._left_s(one)) for one in self._standing.values()), default=None)

    def take_ended(self) -> dict[Key, Hold]:
        """Take away the holds that have ended and return them."""
        ended = {key: one.hold for key, one in self._standing.items() if self._left_s(one) <= 0}
        for key in ended:
            del self._standing[key]
        return ended

    def follow_clock(self) -> dict[Key, Hold]:
        """Give holds that were asked for as a length their end by the clock as it is set; return those that changed."""
        changed = {}
        for key, one in self._standing.items():
            ends = self._clock() + timedelta(seconds=one.ends_at_s - self._now_s())
            if one.hold.lasts and abs(ends - one.hold.until) > CLOCK_SET:
                one.hold = one.hold.moved(ends - one.hold.until)
                changed[key] = one.hold
        return changed

    def all(self) -> Mapping[Key, Hold]:
        """Return the holds that stand."""
        return {key: one.hold for key, one in self._standing.items()}

    def listed(self) -> list[Hold]:
        """Return the holds that stand, the one that ends last first."""
        return longest_first(self.all().values())

    def _left_s(self, one: _Standing) -> float:
        left_s = one.ends_at_s - self._now_s()
        return left_s if one.hold.lasts else min(left_s, (one.hold.until - self._clock()).total_seconds())


def nothing_held() -> Holds:
    """Return holds of which there are none."""
    return Holds(lambda: datetime.now(UTC), lambda: 0.0)
