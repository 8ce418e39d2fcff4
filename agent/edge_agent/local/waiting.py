"""Wait for a sync or rollback that was asked for here, and tell how far it is.

Looked at where each pass of its application ends, so that what it came to is read before anything else begins.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge_agent.applications import Applications
    from edge_agent.applications.applications import RequestStage


@dataclass(eq=False)
class Watch:
    """One request that somebody waits for."""

    app: str
    request_id: str
    stage: RequestStage = "asked"
    operation: dict[str, Any] = field(default_factory=dict)
    """What the application's document says of its operation, as of the stage."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def look(self, applications: Applications) -> None:
        """Take in how it stands; once it is over, what follows is not its own."""
        if self.stage == "over":
            return
        document = applications.document(self.app) or {}
        self.stage = applications.stage_of(self.app, self.request_id)
        self.operation = document.get("operationState") or {}
        self.changed.set()

    async def until(self, stage: RequestStage, told: Callable[[], Awaitable[None]]) -> None:
        """Wait for a stage; `told` is awaited whenever something may be another."""
        while self.stage not in (stage, "over"):
            await told()
            await self.changed.wait()
            self.changed.clear()


class Watchers:
    """Who waits for what."""

    def __init__(self) -> None:
        self.applications: Applications | None = None
        self._watches: set[Watch] = set()

    def passed(self, app: str) -> None:
        """A pass of an application has ended, or its requests were written down."""
        for watch in self._watches:
            if watch.app == app and self.applications is not None:
                watch.look(self.applications)

    async def taken(self, app: str, request_id: str) -> None:
        """Wait until a request is written down."""
        await self._watched(app, request_id, "taken", _nobody)

    async def over(
        self, app: str, request_id: str, progress: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> dict[str, Any]:
        """Wait until a request is done, failed or refused; return its `operationState`. `progress` is told each other one."""
        watch = await self._watched(app, request_id, "over", progress)
        return watch.operation

    async def _watched(
        self,
        app: str,
        request_id: str,
        stage: RequestStage,
        progress: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> Watch:
        watch = Watch(app, request_id)
        last: dict[str, Any] = {}

        async def tell() -> None:
            nonlocal last
            if (
                watch.stage == "taken"
                and watch.operation.get("phase") == "Running"
                and watch.operation != last
            ):
                last = watch.operation
                await progress(last)

        self._watches.add(watch)
        try:
            if self.applications is not None:
                watch.look(self.applications)
            await watch.until(stage, tell)
        finally:
            self._watches.discard(watch)
        return watch


async def _nobody(_operation: dict[str, Any]) -> None:
    return
