"""Whether to sync, what, and when. Pure: the whole of automated sync is decided here.

As in Argo CD: an automated sync needs something out of sync; there is one per bundle and settings; drift
after it is healed only with `selfHeal`; what only pruning would mend waits for `prune`; an empty desired set
prunes nothing without `allowEmpty`; sync windows hold back what they concern; what was terminated is not begun
again before something changes. The site's holds hold back everything but what is marked to go through them.

Unlike Argo CD: a sync that failed is tried again for ever (unless `retry.limit` says otherwise), and drift is
healed at once. An object that another application took is reported and taken back by the next new desired
state or by a person, not by self-heal: two applications would take it from each other for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.sync.windows import OPEN, Gate

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from edge_agent.applications.progress import Attempt
    from edge_agent.applications.requests import Sync
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
    tried: int = 0
    """How often the request failed."""
    ending: str = ""
    """Why what is under way must end, if somebody asked for that."""
    overdue: str = ""
    """What the sync under way took too long for, if it did."""
    gate: Gate = OPEN
    """What sync windows and holds allow."""
    gate_at_s: float | None = None
    """When that may change."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Sync; `only` None: everything."""

    prune: bool
    only: AbstractSet[Key] | None = None
    dry_run: bool = False
    request: Sync | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A sync window or a hold is in the way: begin nothing and let what is under way stand still, until it may change.
    `why` is what the operation says of itself.
    """

    why: str
    until_s: float | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The sync under way, or the retries of one that failed, are over before their end. `for_good`: nothing is
    tried again before something changes.
    """

    message: str
    for_good: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing: until something changes, or at the latest until a time. `error` is for a person to read;
    None: as it was.
    """

    until_s: float | None = None
    error: str | None = ""
    settled: bool = False
    """Whether what is desired is there without a sync, which then counts as one."""


Decision = Begin | Wait | End | Rest


def decide(situation: Situation) -> Decision:
    """Return what to do about an application."""
    if situation.ending:
        return End(situation.ending, for_good=True)
    if situation.overdue:
        return End(situation.overdue, for_good=False)
    wanted = _wanted(situation)
    why = _in_the_way(wanted, situation) if isinstance(wanted, Begin) else ""
    return Wait(why, situation.gate_at_s) if why else wanted


def _wanted(situation: Situation) -> Decision:
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
        case "Terminated":
            return Rest(error=None)
    return _heal(situation)


def _in_the_way(wanted: Begin, situation: Situation) -> str:
    """Return what a sync has to wait for: a hold, or else a sync window. A dry run touches nothing."""
    gate, attempt, request = situation.gate, situation.attempt, wanted.request
    if wanted.dry_run:
        return ""
    if gate.held and not (request is not None and request.despite_hold):
        return f"waits: it is {gate.held}"
    under_way = (attempt.identity, attempt.outcome) == (situation.identity, "Running")
    if (gate.automated if request is None else gate.manual) or (under_way and gate.overrun):
        return ""
    return f"waits for a sync window: {gate.why}"


def _requested(situation: Situation, request: Sync) -> Decision:
    if request.prune and _empties(situation):
        return Rest(error=_WOULD_EMPTY)
    if situation.tried and situation.now_s < situation.retry_at_s:
        return Rest(until_s=situation.retry_at_s, error=None)
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
