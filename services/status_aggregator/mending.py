"""Asking edges for what the hub lacks: when, and how often. The schedule is pure; `Mender` carries it out.

An ask is a command without an answer: the edge sends whole entries in its next batches, and the next fold says whether that was it.
So an ask that is lost is repeated, with growing delay while the cluster is connected, and at once when it comes back.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from outrider import subjects
from outrider.backoff import Backoff
from outrider.bus import Connection, Disconnected
from outrider.messages import Command
from outrider.names import AppName, ClusterName, from_token

log = structlog.get_logger()

APPS_MAX = 1_000
# In one command; beyond, everything is asked for.


@dataclass(frozen=True)
class MendingSettings:
    """When to ask."""

    ask_after_s: float = 0.2
    # A document whose base is missing: the one that mends it may be on its way.
    ask_all_after_s: float = 1.0
    # A set that differs may be one of which some batches are on their way.
    repeat: Backoff = field(default_factory=lambda: Backoff(first_s=5.0, cap_s=900.0))
    # Whole documents cost an edge's link: an edge that can't answer is not asked without end.


@dataclass(frozen=True)
class Want:
    """What is to be asked of one cluster, and when."""

    apps: frozenset[str] | None
    # tokens; None: everything
    due_s: float
    attempts: int = 0


class Wants:
    """What is to be asked of all clusters. Times in seconds of any one clock."""

    def __init__(self, settings: MendingSettings, rng: random.Random) -> None:
        self._settings, self._rng = settings, rng
        self._wants: dict[ClusterName, Want] = {}

    def __len__(self) -> int:
        return len(self._wants)

    def judge(self, cluster: ClusterName, *, differs: bool, lacking: frozenset[str], now_s: float) -> None:
        """Take up what a fold has found. What is wanted already keeps its time."""
        known = self._wants.get(cluster)
        if differs or len(lacking) > APPS_MAX:
            if known is None or known.apps is not None:
                self._wants[cluster] = Want(None, now_s + self._settings.ask_all_after_s)
        elif lacking:
            if known is None or known.apps is None:
                self._wants[cluster] = Want(lacking, now_s + self._settings.ask_after_s)
            elif lacking - (known.apps or frozenset()):
                due_s = min(known.due_s, now_s + self._settings.ask_after_s)
                self._wants[cluster] = Want(lacking, due_s, known.attempts)
            else:
                self._wants[cluster] = replace(known, apps=lacking)
        else:
            self._wants.pop(cluster, None)

    def connected(self, cluster: ClusterName, now_s: float) -> None:
        """Start again for a cluster that has come back: it is asked soon, if its first batch does not settle it."""
        if (want := self._wants.get(cluster)) is not None:
            self._wants[cluster] = Want(want.apps, now_s + self._settings.ask_all_after_s)

    def forget(self, cluster: ClusterName) -> None:
        """Drop what was wanted of a cluster that is no longer registered."""
        self._wants.pop(cluster, None)

    def due(self, now_s: float, is_online: Callable[[ClusterName], bool]) -> list[tuple[ClusterName, Want]]:
        """Return what to ask now, and set when to ask again. A cluster that is away is not asked."""
        found = [(c, want) for c, want in self._wants.items() if want.due_s <= now_s and is_online(c)]
        for cluster, want in found:
            delay_s = self._settings.repeat.delay_s(want.attempts, self._rng)
            due_s = now_s + max(delay_s, self._settings.repeat.first_s / 2)
            self._wants[cluster] = replace(want, due_s=due_s, attempts=want.attempts + 1)
        return found

    def next_due_s(self, is_online: Callable[[ClusterName], bool]) -> float | None:
        """Return when the next cluster is to be asked."""
        return min((want.due_s for cluster, want in self._wants.items() if is_online(cluster)), default=None)


class Mender:
    """Sends what is due."""

    def __init__(
        self,
        connection: Connection,
        wants: Wants,
        is_online: Callable[[ClusterName], bool],
        on_ask_all: Callable[[ClusterName], None],
    ) -> None:
        self._connection, self._wants = connection, wants
        self._is_online, self._on_ask_all = is_online, on_ask_all
        self._changed = asyncio.Event()
        self.paused = True
        # While the stream is being caught up with, the batches that mend may be further on in it.
        self.asked = 0

    def judge(self, cluster: ClusterName, *, differs: bool, lacking: frozenset[str]) -> None:
        """Take up what a fold has found."""
        self._wants.judge(cluster, differs=differs, lacking=lacking, now_s=self._now_s())
        self._changed.set()

    def connected(self, cluster: ClusterName) -> None:
        """A cluster has come back."""
        self._wants.connected(cluster, self._now_s())
        self._changed.set()

    def forget(self, cluster: ClusterName) -> None:
        """A cluster is no longer registered."""
        self._wants.forget(cluster)

    def resume(self) -> None:
        """The stream has been caught up with."""
        self.paused = False
        self._changed.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self._wait()
            await self._connection.wait_connected()
            for cluster, want in self._wants.due(self._now_s(), self._is_online):
                await self._ask(cluster, want)

    async def _wait(self) -> None:
        """Wait until something is due."""
        while True:
            due_s = None if self.paused else self._wants.next_due_s(self._is_online)
            if due_s is not None and due_s <= self._now_s():
                return
            self._changed.clear()
            try:
                async with asyncio.timeout_at(due_s):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def _ask(self, cluster: ClusterName, want: Want) -> None:
        if want.apps is None:
            self._on_ask_all(cluster)
        apps = None if want.apps is None else sorted(AppName(from_token(app)) for app in want.apps)
        self.asked += 1
        log.info("asking for whole documents", cluster=cluster, apps=len(apps) if apps is not None else "all")
        command = Command(self._connection.unique_token(), {"apps": apps})
        try:
            await self._connection.publish(subjects.command(cluster, "status"), command.pack())
        except Disconnected as error:
            log.debug("not asked", cluster=cluster, reason=str(error))

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()
