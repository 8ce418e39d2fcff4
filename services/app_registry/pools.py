"""Pools that have an identity of their own: whether their renderers are there, and what that means for an application. No I/O.

Nothing is taken back because a renderer is away: the last good bundle stays in force, and a condition says since when nobody looks
at the repository.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from app_registry.desired import COMPARISON_ERROR, Condition, shown_revision
from app_registry.sources import Origin, one_pool
from outrider.names import DEFAULT_POOL
from outrider.records import PoolPresenceRecord, PoolRecord, RenderingRecord

RENDERER_OFFLINE = "RendererOffline"


class Pools:
    """Which pools there are, and which of them are served."""

    def __init__(self) -> None:
        self.records: dict[str, PoolRecord] = {}
        self.presence: dict[str, PoolPresenceRecord] = {}

    def is_known(self, pool: str) -> bool:
        """Tell whether repositories may name a pool."""
        record = self.records.get(pool)
        return pool == DEFAULT_POOL or (record is not None and not record.removing)

    def absence(self, pool: str) -> str:
        """Return why nobody renders for a pool, as the end of a sentence about it; empty if somebody does."""
        if pool == DEFAULT_POOL:
            return ""
        if not self.is_known(pool):
            return f"which does not exist (`outrider pool add {pool}` makes it)"
        seen = self.presence.get(pool)
        if seen is None:
            return "which has never been connected (`outrider renderer` connects it)"
        if not seen.online:
            return f"which has been offline since {_shown(seen.since_ms)}"
        return ""

    def conditions(
        self, origins: Sequence[Origin], rendering: RenderingRecord | None
    ) -> tuple[Condition, ...]:
        """Return what keeps an application from its newest revision, if that is the pool its sources are rendered by."""
        pool = one_pool(origins)
        found = [Condition(COMPARISON_ERROR, text) for text in apart(origins)]
        if absence := self.absence(pool):
            url = next(origin.repo_url for origin in origins if origin.pool == pool)
            at = shown_revision(rendering.revision) if rendering is not None and rendering.digest else ""
            stays = f"stays at {at}" if at else "it has not been rendered yet"
            text = f"repository {url} is rendered by pool {pool!r}, {absence}: {stays}"
            found.append(Condition(RENDERER_OFFLINE, text))
        return tuple(found)


def apart(origins: Sequence[Origin]) -> list[str]:
    """Return which repositories the renderer of an application with several sources can't read, one sentence each."""
    pool = one_pool(origins)
    return [
        f"repository {origin.repo_url} is of pool {origin.pool!r}, and the sources beside it are rendered by pool {pool!r}, "
        f"which has no credentials for it: register it with --pool {pool}"
        for origin in origins
        if origin.pool != pool and (origin.is_sealed or origin.pool != DEFAULT_POOL)
    ]


def _shown(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
