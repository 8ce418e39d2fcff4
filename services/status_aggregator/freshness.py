"""Whether what is known of an application may be taken for what is. Pure.

Nothing green for a cluster that nobody has heard from: a state is fresh only while its cluster is connected and its last word
is younger than two heartbeats. A heartbeat vouches for every document of its cluster, by the set digest. A word from before an
outage vouches for nothing once the cluster is connected again: it says so itself, within moments.
"""

from typing import Final, Literal, NamedTuple

Presence = Literal["online", "offline", "unknown"]
"""Whether a cluster is connected; unknown: it never was."""
Freshness = Literal["fresh", "stale", "offline", "unknown"]
"""fresh: connected, and heard of lately. stale: connected, but its word is too old. offline: not connected, so that whatever is known
is the last that was. unknown: never heard of."""

PRESENCES: Final[tuple[Presence, ...]] = ("online", "offline", "unknown")
FRESHNESSES: Final[tuple[Freshness, ...]] = ("fresh", "stale", "offline", "unknown")
STATES: Final[tuple[tuple[Presence, Freshness], ...]] = (
    ("online", "fresh"),
    ("online", "stale"),
    ("online", "unknown"),
    ("offline", "offline"),
    ("offline", "unknown"),
    ("unknown", "unknown"),
)
# Those that a cluster can be in.

HEARTBEAT_S = 1800.0
REUNION_MS = 60_000
# A word that came no longer before the connection is taken for one of it: the two are told by different ways, and outages that are
# as short matter to nobody.


class FreshnessLimits(NamedTuple):
    """How long a cluster's word holds."""

    heartbeat_s: float = HEARTBEAT_S
    heartbeats: float = 2

    @property
    def word_holds_ms(self) -> int:
        """Unheard for longer than this, a cluster's state is stale."""
        return round(self.heartbeat_s * self.heartbeats * 1000)


def freshness(
    presence: Presence,
    age_ms: int | None,
    limits: FreshnessLimits,
    *,
    connected_for_ms: int | None = None,
    is_heard: bool = True,
) -> Freshness:
    """Judge a cluster, and so every document of it. `age_ms` None: nobody knows how old its last word is.

    `connected_for_ms`: since how long it has been online; None: since before anybody can tell.
    """
    if not is_heard:
        return "unknown"
    if presence == "offline":
        return "offline"
    is_recent = age_ms is not None and age_ms <= limits.word_holds_ms
    is_of_before = (
        age_ms is not None and connected_for_ms is not None and age_ms > connected_for_ms + REUNION_MS
    )
    return "fresh" if presence == "online" and is_recent and not is_of_before else "stale"
