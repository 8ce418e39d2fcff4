"""One watch per kind in use, over the objects that carry the agent's label.

An application says which kinds it uses; the first user of a kind starts its watch, the last one's leaving
ends it and forgets its objects. A kind that can't be watched (a right is missing, the API server is away) is
`failing` with its error; the others go on.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from edge_agent.cluster import Cluster, ClusterError, Key, Kind, Object, Pace, follow, key_of
from edge_agent.sync import LABEL

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from edge_agent.applications.inventory import Inventory

_log = structlog.get_logger()

Sort = tuple[str, str]
"""A group and kind, whatever the version."""


@dataclass(slots=True, eq=False)
class Watched:
    """One kind's watch. It is a `Follower`."""

    kind: Kind
    inventory: Inventory
    turned: Callable[[Watched], None]
    """Told when the kind becomes known, fails, or works again."""
    users: dict[str, Kind] = field(default_factory=dict)
    """Who uses it, and in which version they speak of it. All of them are told of objects in the version
    that is watched.
    """
    task: asyncio.Task[None] | None = None
    known: bool = False
    """Whether all its objects are in the inventory."""
    open: bool = False
    """Whether changes are told as they happen."""
    error: ClusterError | None = None
    failing_since_s: float = 0.0
    _listed: set[Key] | None = None

    @property
    def sort(self) -> Sort:
        """The kind without its version."""
        return self.kind.group, self.kind.kind

    def listing(self) -> None:
        """Begin to collect what is there."""
        self._listed = set()

    def seen(self, live: Object) -> None:
        """Take in a state."""
        if self._listed is not None:
            self._listed.add(key_of(live))
        self.inventory.observe(live)

    def listed(self, resource_version: str) -> None:
        """Drop what the list didn't have."""
        listed, self._listed = self._listed or set(), None
        for key in [key for key in self.inventory.of_kind(*self.sort) if key not in listed]:
            self.inventory.lose(key, resource_version)
        first, self.known = not self.known, True
        if first:
            self.turned(self)

    def gone(self, live: Object) -> None:
        """Take in that an object went."""
        self.inventory.lose(key_of(live), str(live["metadata"].get("resourceVersion") or ""))

    def following(self) -> None:
        """Take in that the watch works."""
        self.open = True
        if self.error is not None:
            self.error = None
            self.turned(self)

    def failing(self, error: ClusterError) -> None:
        """Take in that it doesn't."""
        self._listed, self.open = None, False
        before, self.error = self.error, error
        if before is None:
            self.failing_since_s = asyncio.get_running_loop().time()
        if before is None or str(before) != str(error):
            self.turned(self)


class Watches:
    """All watches of the agent; `start` gives them the task group that they live in."""

    def __init__(
        self,
        cluster: Cluster,
        inventory: Inventory,
        turned: Callable[[Watched], None],
        pace: Pace,
        chance: random.Random,
    ) -> None:
        self._cluster = cluster
        self._inventory = inventory
        self._turned = turned
        self._pace = pace
        self._chance = chance
        self._tasks: asyncio.TaskGroup | None = None
        self._watched: dict[Sort, Watched] = {}

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Let watches begin from here on."""
        self._tasks = tasks

    def get(self, sort: Sort) -> Watched | None:
        """Return a kind's watch, if it is in use."""
        return self._watched.get(sort)

    def all(self) -> Iterable[Watched]:
        """Return every watch."""
        return self._watched.values()

    def use(self, app: str, kinds: Iterable[Kind]) -> None:
        """Say which kinds an application uses, in place of what it said before."""
        wanted = {(kind.group, kind.kind): kind for kind in sorted(kinds)}
        for sort, kind in wanted.items():
            if sort not in self._watched:
                self._watched[sort] = Watched(kind, self._inventory, self._turned)
                self._begin(self._watched[sort])
            self._watched[sort].users[app] = kind
        for sort, watched in list(self._watched.items()):
            if sort not in wanted:
                watched.users.pop(app, None)
            if not watched.users:
                self._end(watched)
            elif watched.kind not in watched.users.values():
                # Nobody speaks this version any more, and the cluster may cease to.
                self._change_version(watched)

    def relist(self, sort: Sort) -> None:
        """Read all objects of a kind again, if it is in use: they are to be judged anew."""
        watched = self._watched.get(sort)
        if watched is not None and watched.task is not None:
            watched.task.cancel()
            watched.open = False
            self._begin(watched)

    def _change_version(self, watched: Watched) -> None:
        if watched.task is not None:
            watched.task.cancel()
        watched.kind = min(watched.users.values())
        watched.known, watched.open, watched.error = False, False, None
        self._begin(watched)

    def _end(self, watched: Watched) -> None:
        del self._watched[watched.sort]
        if watched.task is not None:
            watched.task.cancel()
        self._inventory.drop(*watched.sort)

    def _begin(self, watched: Watched) -> None:
        if self._tasks is None:
            raise RuntimeError("watches are used before they are started")
        watched.task = self._tasks.create_task(self._follow(watched), name=f"watch {watched.kind}")

    async def _follow(self, watched: Watched) -> None:
        """Follow a kind; a fault of the agent's own ends neither this watch nor another."""
        failures = 0
        while True:
            try:
                await follow(self._cluster, watched.kind, LABEL, watched, self._pace, self._chance)
            except Exception:  # noqa: BLE001 a loop's boundary
                failures += 1
                _log.error(
                    "watch failed", kind=str(watched.kind), attempt=failures, trace=traceback.format_exc()
                )
                await asyncio.sleep(self._pace.refused.delay_s(failures - 1, self._chance))
