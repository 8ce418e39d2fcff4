"""How often an object may be healed: at once as a rule, slowly when somebody keeps undoing it. Pure
arithmetic on a token bucket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.applications.model import Settings
    from edge_agent.applications.state import State
    from edge_agent.cluster import Key


def healable(
    wanted: Iterable[Key], state: State, settings: Settings, now_s: float
) -> tuple[frozenset[Key], float]:
    """Return the objects that may be healed now, and when the next of the others may."""
    ready, next_s = set(), float("inf")
    for key in wanted:
        tokens = _tokens(key, state, settings, now_s)
        if tokens >= 1.0:
            ready.add(key)
        else:
            next_s = min(next_s, now_s + (1.0 - tokens) / settings.heal_per_s)
    return frozenset(ready), next_s if next_s != float("inf") else now_s


def spend(keys: Iterable[Key], state: State, settings: Settings, now_s: float) -> None:
    """Count a heal of each; forget those that have been quiet long enough."""
    for key in keys:
        state.healed[key] = (_tokens(key, state, settings, now_s) - 1.0, now_s)
    for key in [key for key in state.healed if _tokens(key, state, settings, now_s) >= settings.heal_burst]:
        del state.healed[key]


def _tokens(key: Key, state: State, settings: Settings, now_s: float) -> float:
    tokens, at_s = state.healed.get(key, (float(settings.heal_burst), now_s))
    return min(float(settings.heal_burst), tokens + (now_s - at_s) * settings.heal_per_s)
