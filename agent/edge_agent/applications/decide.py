"""Whether to sync, what, and when. Pure: the whole of automated sync is decided here.

As in Argo CD: an automated sync needs something out of sync; there is one per bundle and settings; drift
after it is healed only with `selfHeal`; what only pruning would mend waits for `prune`; an empty desired set
prunes nothing without `allowEmpty`.

Unlike Argo CD: a sync that failed is tried again for ever (unless `retry.limit` says otherwise), and drift is
healed at once. An object that another application took is reported and taken back by the next new desired
state or by a person, not by self-heal: two applications would take it from each other for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from edge_agent.applications.model import Sync
    from edge_agent.applications.progress import Attempt
    from edge_agent.cluster import Key
    from edge_agent.sync import Policy


@dataclass(frozen=True, slots=True)
class Situation:
    """What is so. Times are of the event loop's clock, in seconds."""

    policy: Policy
    identity: str
    attempt: Attempt
    request: Sync | None
    wanted: AbstractSet[Key]
    """Out of sync and nobody else's."""
    healable: AbstractSet[Key]
    """Those of them that have not been healed too often lately."""
    taken: AbstractSet[Key]
    """Out of sync because another application has them."""
    doomed: AbstractSet[Key]
    """To be pruned, and free to go."""
    empty: bool
    """Whether nothing at all is desired."""
    problems: bool
    """Whether the bundle holds something that is no object."""
    now_s: float
    retry_at_s: float
    heal_at_s: float
    """When the next of them may be healed."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Sync; `only` None: everything."""

    prune: bool
    only: AbstractSet[Key] | None = None
    dry_run: bool = False
    request: Sync | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing: until something changes, or at the latest until a time. `error` is for a person to read;
    None: as it was.
    """

    until_s: float | None = None
    error: str | None = ""
    settled: bool = False
    """Whether what is desired is there without a sync, which then counts as one."""


Decision = Begin | Rest


def decide(situation: Situation) -> Decision:
    """Return what to do about an application."""
    if situation.request is not None:
        return _requested(situation, situation.request)
    if not situation.policy.automated:
        return Rest()
    if situation.attempt.identity != situation.identity:
        return _first(situation)
    match situation.attempt.outcome:
        case "Running":
            return _all(situation)
        case "Failed":
            return _again(situation)
    return _heal(situation)


def _requested(situation: Situation, request: Sync) -> Decision:
    if request.prune and _empties(situation):
        return Rest(error=_WOULD_EMPTY)
    return Begin(prune=request.prune, dry_run=request.dry_run, request=request)


def _first(situation: Situation) -> Decision:
    if not (situation.problems or situation.wanted or situation.taken or _prunes(situation)):
        return Rest(settled=True)
    return _all(situation)


def _all(situation: Situation) -> Decision:
    if situation.policy.prune and _empties(situation):
        return Rest(error=_WOULD_EMPTY)
    return Begin(prune=situation.policy.prune)


def _again(situation: Situation) -> Decision:
    limit = situation.policy.retry_limit
    if limit is not None and situation.attempt.failures > limit:
        return Rest(
            error=f"gave up after {situation.attempt.failures} attempts, as spec.syncPolicy.retry.limit says"
        )
    if situation.now_s < situation.retry_at_s:
        return Rest(until_s=situation.retry_at_s, error=None)
    return _all(situation)


def _heal(situation: Situation) -> Decision:
    if not situation.policy.self_heal:
        return Rest()
    prunes = _prunes(situation)
    if prunes and _empties(situation):
        return Rest(error=_WOULD_EMPTY)
    if situation.healable or prunes:
        return Begin(prune=prunes, only=situation.healable)
    return Rest(until_s=situation.heal_at_s if situation.wanted else None)


def _prunes(situation: Situation) -> bool:
    return situation.policy.prune and bool(situation.doomed)


def _empties(situation: Situation) -> bool:
    return situation.empty and bool(situation.doomed) and not situation.policy.allow_empty


_WOULD_EMPTY = (
    "nothing is desired any more and pruning would delete every object of the application: "
    "set spec.syncPolicy.automated.allowEmpty if that is meant"
)
