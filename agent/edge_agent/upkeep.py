"""Look after the replica, for as long as the agent runs: what was lost is asked for again and told, what waits is written.

| lost | what follows |
|---|---|
| the file, its newest changes, a record, a number | everything is asked for with the next resync; what runs goes on |
| a bundle that something needs | it is fetched again; its applications wait for it where they need it, and say so |
| how far an application came | it is found out again |
| an entry of the journal | a gap in its place |

All of it is told: in the cluster's own document, in the journal, and in the conditions of the applications that are concerned.
Ends only by cancellation; what was not looked after then is so by the next start.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from edge_agent.journal import Journal
from edge_agent.link.about import About
from edge_agent.replica import Database, Loss
from edge_agent.replica.said import entries, sentence

log = structlog.get_logger()

REBUILT, UNWRITABLE, SPARED = "ReplicaRebuilt", "ReplicaUnwritable", "ReplicaWritesSpared"
TOLD_FOR_S = 24 * 3600.0
# Then it is history: the journal has it.
TOGETHER_S = 0.5
# Losses and writes that come in a burst are looked after once.
_ASKS = frozenset({"file", "newest", "record", "numbers"})


class Workloads(Protocol):
    """What runs the applications, as far as the replica needs to know."""

    def note(self, app: str, condition: str, message: str) -> None:
        """Set a condition of an application, or with an empty message clear it."""

    def write_again(self, *, everything: bool) -> None:
        """Write down how far applications came: those of which it could not be written, or all."""

    def bundle_held(self, short_digest: str) -> None:
        """Go on where a bundle was missing."""

    def bundles_in_use(self) -> Collection[str]:
        """Return short digests of what is worked on, whatever is desired by now; from any thread."""


class Remedies(Protocol):
    """How what was lost is had again, and where it is written down."""

    def begin_again(self) -> None:
        """Ask the hub for all that there is."""

    def fetch_again(self, digest: bytes) -> bool:
        """Have a bundle again. False: nothing needs it, or that is under way."""

    def render_again(self, app: str) -> None:
        """Have what an application was rendered to here again."""

    def note(self, app: str, details: list[dict[str, Any]]) -> None:
        """Write down what was lost of an application; empty: of all."""

    def hurry(self) -> None:
        """What was gathered is in the journal now."""


class Upkeep:
    """Looks after one replica."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        about: About,
        remedies: Remedies,
        clock: Callable[[], float],
    ) -> None:
        """`clock`: Unix time in seconds."""
        self._database, self._journal = database, journal
        self._about, self._remedies, self._clock = about, remedies, clock
        self._workloads: Workloads | None = None
        self._lost: list[Loss] = []
        self._lost_at = ""
        self._noted: set[str] = set()
        # applications that have the condition
        self._forget_at_s = float("inf")
        self._trouble = ""
        self._news = asyncio.Event()

    def start(self, workloads: Workloads) -> None:
        """Tell these of what concerns them."""
        self._workloads = workloads
        self._about.sample("replica", self._measured)

    async def run(self) -> None:
        """Look after it until cancelled."""
        loop = asyncio.get_running_loop()

        def heard() -> None:
            loop.call_soon_threadsafe(self._news.set)

        self._database.on_news = heard
        self._news.set()
        try:
            while True:
                wait_s = await self._once()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._news.wait()
                await asyncio.sleep(TOGETHER_S)
        finally:
            self._database.on_news = _nothing

    async def _once(self) -> float | None:
        """Do what is due; return in how many seconds there is more, None: not before there is news."""
        self._news.clear()
        if losses := self._database.take_losses():
            self._take_in(losses)
        due_s = await asyncio.to_thread(self._database.look_after)
        if not self._journal.is_sent:
            self._remedies.hurry()
        self._tell()
        waits_s = [wait_s for wait_s in (due_s, self._forget()) if wait_s is not None]
        return min(waits_s, default=None)

    def _take_in(self, losses: list[Loss]) -> None:
        if any(loss.what in _ASKS for loss in losses):
            self._remedies.begin_again()
        if self._workloads is not None and any(loss.what == "file" for loss in losses):
            self._workloads.write_again(everything=True)
        told = [loss for loss in losses if self._is_told(loss)]
        for app, details in entries(told).items():
            self._remedies.note(app, details)
            if app and self._workloads is not None:
                self._workloads.note(app, REBUILT, sentence(loss for loss in told if loss.name == app))
                self._noted.add(app)
        if told:
            self._lost += told
            self._lost_at = _rfc3339(self._clock())
            self._forget_at_s = asyncio.get_running_loop().time() + TOLD_FOR_S

    def _is_told(self, loss: Loss) -> bool:
        """See to a loss; say whether anybody needs to know of it."""
        if loss.what == "bundle":
            return self._remedies.fetch_again(bytes.fromhex(loss.name))
        if loss.what == "rendering":
            self._remedies.render_again(loss.name)
        return loss.what != "archive"

    def _tell(self) -> None:
        database = self._database
        lost = f"{sentence(self._lost)} (last at {self._lost_at})" if self._lost else ""
        self._about.condition(REBUILT, lost)
        self._about.condition(UNWRITABLE, _unwritable(database))
        self._about.condition(SPARED, _spared(database))
        self._about.tell("replica", self._standing())
        if self._trouble and not database.trouble and self._workloads is not None:
            self._workloads.write_again(everything=False)
        self._trouble = database.trouble

    def _standing(self) -> dict[str, Any]:
        database = self._database
        found = {"keeps": database.keeps, "write_budget_bytes": database.writes.bytes_per_day}
        return found | ({"rebuilt_at": self._lost_at, "why": sentence(self._lost)} if self._lost else {})

    def _measured(self) -> dict[str, Any]:
        database = self._database
        return {"size_bytes": database.size_bytes, "written_bytes_today": database.writes.today}

    def _forget(self) -> float | None:
        """Let go of what was lost a day ago; return in how many seconds that is."""
        left_s = self._forget_at_s - asyncio.get_running_loop().time()
        if left_s > 0:
            return left_s if self._lost else None
        self._lost.clear()
        self._forget_at_s = float("inf")
        self._about.condition(REBUILT, "")
        for app in self._noted:
            if self._workloads is not None:
                self._workloads.note(app, REBUILT, "")
        self._noted.clear()
        return None


def _unwritable(database: Database) -> str:
    why = database.trouble
    if not why:
        return ""
    if database.keeps:
        return f"the replica can't be written to ({why}): what it holds goes on, and nothing else is accepted until it can be"
    return f"the replica is in memory, since its file can't be used ({why}): nothing of it outlives the agent's process"


def _spared(database: Database) -> str:
    if not database.is_sparing:
        return ""
    return (
        f"the {database.writes.bytes_per_day} bytes that may be written to the replica in a day are spent: until midnight UTC "
        "routine is written every quarter of an hour; something changes all the time"
    )


def _rfc3339(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _nothing() -> None:
    pass
