"""What the link may carry, as it is used: everything that is sent or received is counted here, and waits here for its turn.

The rules are `budget`'s. A day's budget holds over restarts: what was spent is written down, now and then, since a restart
must not be a way to spend it again. Limits come from the hub's settings of the cluster, or where it has none, from the agent's own.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from edge_agent.link.about import About
from edge_agent.link.budget import DAY_S, MESSAGE_OVERHEAD_BYTES, Budget, Lane, Limits
from edge_agent.link.pace import LEAST_BYTES, Pace
from edge_agent.replica import Database, ReplicaUnwritable
from outrider.bus.reach import KNOCK_EVERY_S

CONDITION = "LinkBudgetSpent"
KNOCK_BYTES = 120
# A handshake's first packet, sent twice.
_DAY, _SPENT = "link_day", "link_spent"
NOTED_PARTS = 50
# Of a day's budget: written down whenever another part is used up.
TOLD_BYTES = 64 << 10
# The hub is told of so much more, or of another tenth of a day's budget, at once; of less with the next heartbeat.


class Allowance:
    """The link's budget and pace. Times are Unix seconds by `clock`."""

    def __init__(
        self,
        limits: Limits,
        clock: Callable[[], float],
        database: Database | None = None,
        about: About | None = None,
    ) -> None:
        """`database` remembers the day's spending; without one a restart forgets it."""
        self._own, self._clock, self._database = limits, clock, database
        self._about = about or About()
        self.budget = Budget(limits)
        if database is not None:
            self.budget.day, self.budget.spent_today = database.meta(_DAY), database.meta(_SPENT)
        self.up, self.down = Pace(), Pace()
        self._changed = asyncio.Event()
        self._noted = self.budget.spent_today
        self._untold_bytes = 0
        self._about.sample("link", self._spent)
        self._about.tell("link", self._limits())

    def configure(self, told: Mapping[str, Any] | None) -> None:
        """Take the hub's limits: {bytesPerSecond?, bytesPerDay?}; what it does not say is as the agent's own settings say."""
        told = told if isinstance(told, Mapping) else {}
        per_s, per_day = _positive(told.get("bytesPerSecond")), _positive(told.get("bytesPerDay"))
        limits = Limits(per_s or self._own.bytes_per_s, per_day or self._own.bytes_per_day)
        if limits != self.budget.limits:
            self.budget.limits = limits
            self._changed.set()
            self._about.tell("link", self._limits())
            self._tell()

    def spend(self, lane: Lane, size_bytes: int) -> None:
        """Count a message that is sent or was received; its way's overhead is added."""
        size_bytes += MESSAGE_OVERHEAD_BYTES
        self.budget.spend(lane, size_bytes, self._clock())
        self._untold_bytes += size_bytes
        self._note()
        self._tell()
        if self._untold_bytes >= max(TOLD_BYTES, (self.budget.limits.bytes_per_day or 0) // 10):
            self._about.refresh()

    def wait_s(self, lane: Lane) -> float:
        """Return how long a lane has to wait; 0: it may go."""
        return self.budget.wait_s(lane, self._clock())

    async def turn(self, lane: Lane) -> None:
        """Wait until a lane may go."""
        while (wait_s := self.wait_s(lane)) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def part_bytes(self, pace: Pace) -> int:
        """Return how much the next message may carry."""
        rate = self.budget.limits.bytes_per_s
        return pace.part_bytes if rate is None else max(LEAST_BYTES, min(pace.part_bytes, int(rate)))

    @property
    def knock_every_s(self) -> float:
        """Return how often to knock at a hub that doesn't answer: what is spent on it is half of a day's budget at most."""
        allowed = self.budget.limits.bytes_per_day
        return KNOCK_EVERY_S if allowed is None else max(KNOCK_EVERY_S, KNOCK_BYTES * DAY_S / (allowed / 2))

    def _note(self) -> None:
        allowed, spent = self.budget.limits.bytes_per_day, self.budget.spent_today
        if self._database is None or allowed is None or 0 <= spent - self._noted < allowed / NOTED_PARTS:
            return
        try:
            self._database.set_meta(_DAY, self.budget.day)
            self._database.set_meta(_SPENT, spent)
        except ReplicaUnwritable:
            return
        self._noted = spent

    def _tell(self) -> None:
        message = ""
        if self.budget.is_spent:
            until = datetime.fromtimestamp((self.budget.day + 1) * DAY_S, UTC)
            message = (
                f"most of today's {self.budget.limits.bytes_per_day} bytes are spent: until {until:%Y-%m-%dT%H:%MZ} the journal waits, "
                "and so do state and bundles once all of them are; health transitions go on"
            )
        self._about.condition(CONDITION, message)

    def _limits(self) -> dict[str, Any]:
        limits = self.budget.limits
        known = {"bytes_per_s": limits.bytes_per_s, "bytes_per_day": limits.bytes_per_day}
        return {name: value for name, value in known.items() if value is not None}

    def _spent(self) -> dict[str, Any]:
        self._untold_bytes = 0
        spent = {lane.name.lower(): size for lane, size in self.budget.spent.items() if size}
        return {"spent_today": self.budget.spent_today, "spent": spent}


def _positive(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
