"""Whether what is known of an application may be taken for what is. Pure.

Nothing green for a cluster that nobody has heard from: a state is fresh only while its cluster is connected and its last word
is younger than two heartbeats. A heartbeat vouches for every document of its cluster, by the set digest.
"""

from typing import Final, Literal, NamedTuple

Presence = Literal["online", "offline", "unknown"]
Freshness = Literal["fresh", "stale", "unknown"]

PRESENCES: Final[tuple[Presence, ...]] = ("online", "offline", "unknown")
FRESHNESSES: Final[tuple[Freshness, ...]] = ("fresh", "stale", "unknown")

HEARTBEAT_S = 1800.0


class FreshnessLimits(NamedTuple):
    """How long a cluster's word holds."""

    heartbeat_s: float = HEARTBEAT_S
    heartbeats: float = 2

    @property
    def word_holds_ms(self) -> int:
        """Unheard for longer than this, a cluster's state is stale."""
        return round(self.heartbeat_s * self.heartbeats * 1000)


def freshness(
    presence: Presence, heard_at_ms: int, observed_at_ms: int | None, now_ms: int, limits: FreshnessLimits
) -> Freshness:
    """Judge one application. `heard_at_ms` 0: never; `observed_at_ms` None: there is no document of it."""
    if observed_at_ms is None or not heard_at_ms:
        return "unknown"
    return cluster_freshness(presence, heard_at_ms, now_ms, limits)


def cluster_freshness(
    presence: Presence, heard_at_ms: int, now_ms: int, limits: FreshnessLimits
) -> Freshness:
    """Judge a cluster, and so every document of it."""
    if not heard_at_ms:
        return "unknown"
    return "fresh" if presence == "online" and now_ms <= stale_after_ms(heard_at_ms, limits) else "stale"


def stale_after_ms(heard_at_ms: int, limits: FreshnessLimits) -> int:
    """Return until when a connected cluster stays fresh without another word."""
    return heard_at_ms + limits.word_holds_ms
