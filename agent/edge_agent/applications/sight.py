"""The second step of a pass: is the live state known, and is it of now?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge_agent.cluster import Key, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.applications.surroundings import Surroundings
    from edge_agent.applications.watches import Watched


class Blind(Exception):
    """The live state isn't known; `for_s`: since how long it can't be had, None where it is just being
    read.
    """

    def __init__(self, reason: str, for_s: float | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.for_s = for_s


def watches_of(app: str, around: Surroundings) -> list[Watched]:
    """Return the watches that an application uses."""
    return [watched for watched in around.watches.all() if app in watched.users]


def see(watches: Iterable[Watched], grace_s: float) -> None:
    """Raise `Blind` unless all kinds are known, and known as of now; a kind that is refused counts as
    seen.
    """
    now_s = asyncio.get_running_loop().time()
    for watched in watches:
        if watched.error is None:
            if not watched.known:
                raise Blind(f"{watched.kind} is being listed", None)
        elif isinstance(watched.error, Transient):
            away_s = now_s - watched.failing_since_s
            if not watched.known or away_s >= grace_s:
                raise Blind(str(watched.error), away_s)


def is_followed(key: Key, around: Surroundings) -> bool:
    """Say whether changes of an object's kind will be told; else it must be asked for."""
    watched = around.watches.get((key.group, key.kind))
    return watched is None or watched.error is None or isinstance(watched.error, Transient)


def refusals(watches: Iterable[Watched]) -> str:
    """Say which kinds can't be watched, for want of a right or of the kind."""
    return "; ".join(
        sorted(
            str(watched.error)
            for watched in watches
            if watched.error and not isinstance(watched.error, Transient)
        )
    )


def look_again_s(app: str, around: Surroundings) -> float | None:
    """Return after how many seconds to look again at kinds that aren't followed; None: all are."""
    now_s, settings = asyncio.get_running_loop().time(), around.settings
    waits_s = [
        watched.failing_since_s + settings.grace_s - now_s
        if isinstance(watched.error, Transient)
        else settings.unwatched_s
        for watched in watches_of(app, around)
        if watched.error
    ]
    return max(0.0, min(waits_s)) if waits_s else None
