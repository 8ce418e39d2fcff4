"""What the steps of one sync share within one pass."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from edge_agent.cluster import ClusterError, Key, Transient
from edge_agent.sync import Entry, Hook, options
from edge_agent.sync.project import Project

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from edge_agent.applications.bundle import Bundle
    from edge_agent.applications.progress import Progress
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

    @property
    def progress(self) -> Progress:
        """What outlives the process."""
        if self.state.progress is None:
            raise RuntimeError(f"the progress of {self.state.app} was not read")
        return self.state.progress

    @property
    def options(self) -> options.Options:
        """The sync options in force: the request's, where it has any, in place of the application's."""
        request = self.running.request
        asked = request.options if request else None
        return self.state.policy.options if asked is None else options.parse(asked)

    @property
    def project(self) -> Project:
        """What the application's project allows."""
        return Project.of(self.state.desired.spec if self.state.desired else {})

    @property
    def is_whole(self) -> bool:
        """Say whether the sync is about everything: only then hooks run."""
        request = self.running.request
        return self.running.only is None and not (request and request.resources)

    @property
    def runs_hooks(self) -> bool:
        """Say whether hooks run in this sync."""
        request = self.running.request
        return self.is_whole and not (request and request.strategy == "apply")

    def on(self, option: str, thing: Entry | Hook | None = None, *, default: bool = False) -> bool:
        """Say whether a sync option is on, for an object or for the sync as a whole."""
        return options.enabled(
            option, thing.options if thing else options.NONE, self.options, default=default
        )

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
