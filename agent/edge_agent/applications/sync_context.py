"""What the steps of one sync share within one pass."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from edge_agent.cluster import ClusterError, Key, Transient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from edge_agent.applications.bundle import Bundle
    from edge_agent.applications.state import Index, Running, State
    from edge_agent.applications.surroundings import Surroundings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SyncContext:
    """One sync of one application, within one pass."""

    state: State
    running: Running
    index: Index
    bundle: Bundle
    around: Surroundings

    def is_about(self, key: Key) -> bool:
        """Say whether the sync is about an object."""
        only, request = self.running.only, self.running.request
        if request is not None and request.resources:
            return any(selector.selects(key) for selector in request.resources)
        return only is None or key in only


async def each(items: Iterable[T], act: Callable[[T], Awaitable[None]], name: str) -> list[ClusterError]:
    """Do it for all at the same time; the transport bounds how many. When all are through, raise a failure
    that may pass, else return the failures.
    """
    failures: list[ClusterError] = []

    async def one(item: T) -> None:
        try:
            await act(item)
        except ClusterError as error:
            failures.append(error)

    async with asyncio.TaskGroup() as tasks:
        for item in items:
            tasks.create_task(one(item), name=name)
    for failure in failures:
        if isinstance(failure, Transient):
            raise failure
    return failures
