"""Wait for an application: what is still missing is decided on one answer of the hub, and asked again until nothing is.

Only fresh words count: an application that was healthy when its cluster was last heard from is not healthy for this purpose.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from outrider_cli import freshness
from outrider_cli.app import operation
from outrider_cli.failure import Failed, Refused
from outrider_cli.progress import telling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outrider_cli.hub import Hub

ASK_EVERY_S = 0.5
KNOWN_WITHIN_S = 10.0
# From an application's creation until the aggregator answers for it.


@dataclass(frozen=True)
class Goal:
    """What is waited for."""

    synced: bool = False
    healthy: bool = False
    operation_after: Mapping[str, Any] | None = None
    # the operation before the one that is waited for; {} if there was none

    def missing(self, item: Mapping[str, Any]) -> str:
        """Return what is not so yet, in words; empty when all is."""
        if item.get("deleting"):
            return "the application is being deleted"
        if not freshness.is_fresh(item):
            return "no fresh word from its cluster"
        if self.operation_after is not None and not self._operated(item):
            return "the sync has not finished"
        if self.synced:
            if item.get("delivered") is False or _differs(item.get("desired_revision"), item.get("revision")):
                return f"its cluster has not taken {freshness.short_revision(item.get('desired_revision')) or 'the newest'}"
            if item.get("sync") != "Synced":
                return f"sync is {item.get('sync') or 'Unknown'}"
        if self.healthy and item.get("health") != "Healthy":
            return f"health is {item.get('health') or 'Unknown'}"
        return ""

    def _operated(self, item: Mapping[str, Any]) -> bool:
        last = operation.of(item)
        return last != self.operation_after and last.get("phase") in operation.FINISHED


def _differs(desired: Any, seen: Any) -> bool:
    return bool(desired) and desired != seen


def problems_of(item: Mapping[str, Any]) -> list[str]:
    """Return the conditions that the hub or the edge reports."""
    return [f"{one.get('type')}: {one.get('message')}" for one in item.get("conditions") or ()]


async def until(hub: Hub, name: str, goal: Goal, timeout_s: float) -> dict[str, Any]:
    """Wait until the goal is reached; return the hub's answer. Failed tells what is missing when the time is over."""
    item: dict[str, Any] = {}
    try:
        async with asyncio.timeout(timeout_s), telling() as tell:
            while True:
                item = await _asked(hub, name)
                missing = goal.missing(item)
                if not missing:
                    return item
                said = operation.progress(operation.of(item)) or item.get("message")
                tell(f"{name}: {missing}" + (f" ({said})" if said else ""))
                await asyncio.sleep(ASK_EVERY_S)
    except TimeoutError as error:
        raise Failed(_late(name, item, goal, timeout_s)) from error


def _late(name: str, item: Mapping[str, Any], goal: Goal, timeout_s: float) -> str:
    state = freshness.sentence(item, datetime.now().astimezone()) if item else "never heard of"
    causes = "; ".join(problems_of(item))
    return f"{name} is not there after {timeout_s:g} s: {goal.missing(item)} ({state}){': ' if causes else ''}{causes}"


async def _asked(hub: Hub, name: str) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + KNOWN_WITHIN_S
    while True:
        try:
            return await hub.status("app", name=name)
        except Refused:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(ASK_EVERY_S)


async def until_gone(hub: Hub, name: str, timeout_s: float) -> None:
    """Wait until the hub no longer knows the application: its cluster has removed it."""
    waiting_for = "its cluster has not said that it is gone"
    try:
        async with asyncio.timeout(timeout_s), telling() as tell:
            while True:
                try:
                    await hub.registry("app.get", name=name)
                except Refused:
                    return
                tell(f"{name}: {waiting_for}")
                await asyncio.sleep(ASK_EVERY_S)
    except TimeoutError as error:
        raise Failed(f"{name} is still being deleted after {timeout_s:g} s: {waiting_for}") from error
