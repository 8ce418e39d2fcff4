"""Follow all objects of one kind that a selector selects: list, watch, resume, for ever.

A list is read page by page and closed by `listed`: what was not seen since `listing` is gone. The watch goes
on from the list's version, each event and bookmark moves that version on, and a watch that ends or breaks is
resumed from it, so that nothing is missed and nothing is listed twice. A version that the server no longer
keeps (410) brings a new list; so does every half hour, against whatever could go wrong unseen. Waits between
failed attempts grow, capped, with full jitter; `failing` is told each error, `following` that it works.

The loop ends only by cancellation. A crash loses nothing: the next list tells all.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge_agent.cluster.errors import ClusterError, Expired, Transient
from outrider.backoff import Backoff

if TYPE_CHECKING:
    import random

    from edge_agent.cluster.api import Cluster
    from edge_agent.cluster.names import Kind, Object


class Follower(Protocol):
    """Who is told. Calls come in order, from one task, and must not block."""

    def listing(self) -> None:
        """A list begins."""

    def seen(self, live: Object) -> None:
        """An object is there, in this state."""

    def listed(self, resource_version: str) -> None:
        """The list is complete, and as of this version."""

    def gone(self, live: Object) -> None:
        """An object was deleted, or lost the label; this was its last state."""

    def following(self) -> None:
        """The watch is open: from here on every change is told."""

    def failing(self, error: ClusterError) -> None:
        """An attempt failed; another will follow."""


_RETRY = Backoff(first_s=0.2, cap_s=2.0)
_REFUSED = Backoff(first_s=1.0, cap_s=60.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the API server is asked. All in seconds."""

    # A watch is asked to end after a while, drawn between these, so that a fleet's watches don't end
    # together.
    watch_s: tuple[int, int] = (600, 1200)
    # How long a watch may outstay its end before the connection counts as dead.
    grace_s: float = 30.0
    # A list that is older than this, drawn between these, is made anew when its watch ends.
    relist_s: tuple[int, int] = (1500, 2100)
    # After a failure that may pass by itself.
    retry: Backoff = _RETRY
    # After a refusal: somebody must grant a right or install a definition.
    refused: Backoff = _REFUSED


class _Following:
    """Where one kind's list and watch stand."""

    def __init__(
        self, cluster: Cluster, kind: Kind, selector: str, follower: Follower, namespace: str, fields: str
    ) -> None:
        self.cluster = cluster
        self.kind = kind
        self.selector = selector
        self.namespace, self.fields = namespace, fields
        self.follower = follower
        self.version = ""
        self.relist_at_s = 0.0

    async def list(self) -> None:
        """Read everything; raises `ClusterError`."""
        resource = await self.cluster.discovery.resource(self.kind)
        self.follower.listing()
        version = ""
        pages = self.cluster.pages(resource, self.selector, namespace=self.namespace, fields=self.fields)
        async for page in pages:
            version = version or page.resource_version
            for live in page.objects:
                self.follower.seen(live)
        self.follower.listed(version)
        self.version = version

    async def watch(self, within_s: int, grace_s: float) -> None:
        """Watch until the server ends it; raises `ClusterError`."""
        resource = await self.cluster.discovery.resource(self.kind)
        async with self.cluster.watch(
            resource, self.selector, self.version, within_s=within_s, grace_s=grace_s,
            namespace=self.namespace, fields=self.fields,
        ) as events:  # fmt: skip
            self.follower.following()
            async for event in events:
                if event.type == "DELETED":
                    self.follower.gone(event.object)
                elif event.type != "BOOKMARK":
                    self.follower.seen(event.object)
                # After the follower has it: a failure in between brings the event again.
                self.version = event.object["metadata"]["resourceVersion"]


async def follow(
    cluster: Cluster,
    kind: Kind,
    selector: str,
    follower: Follower,
    pace: Pace,
    chance: random.Random,
    *,
    namespace: str = "",
    fields: str = "",
) -> None:
    """Tell a follower of all objects of a kind that a selector selects, for ever; `namespace`, `fields`: only of those there,
    with those fields.
    """
    following = _Following(cluster, kind, selector, follower, namespace, fields)
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        began_s = loop.time()
        try:
            if not following.version or began_s >= following.relist_at_s:
                await following.list()
                following.relist_at_s = began_s + chance.uniform(*pace.relist_s)
            await following.watch(chance.randint(*pace.watch_s), pace.grace_s)
        except Expired:
            # A version that expires again and again is waited for below, like a watch that ends at once.
            following.version = ""
        except ClusterError as error:
            follower.failing(error)
            backoff = pace.retry if isinstance(error, Transient) else pace.refused
            # What worked for a while and broke is a first failure; what never works is the next one.
            failures = 1 if loop.time() - began_s > pace.retry.cap_s else failures + 1
            asked_s = (error.retry_after_s if isinstance(error, Transient) else None) or 0.0
            await asyncio.sleep(max(backoff.delay_s(failures - 1, chance), asked_s))
            continue
        # A server that ends every watch at once is asked again slowly.
        failures = 0 if loop.time() - began_s > 1.0 else failures + 1
        if failures:
            await asyncio.sleep(pace.retry.delay_s(failures - 1, chance))
