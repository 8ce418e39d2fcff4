"""One object's verdict: in sync or not. Pure; the two requests that it may take are the caller's.

1. `suspicion`: the projection differs, or the agent still holds a field that left the desired object.
2. On suspicion only: a dry run of the apply. What it would change is the difference (`changes`); nothing, and
   the object is in sync: defaults, normalisation and mutating webhooks are the server's way of writing what
   was asked for.

What is ignored (`ignoreDifferences`) is taken out of the objects before either.

A verdict holds as long as neither side changes. Of the live one, what counts is its content; and while the
agent holds every field that is desired, only those fields count, whatever others do to the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from edge_agent.diff.owned import (
    content_digest,
    differences,
    holdings,
    holds_all,
    left_over,
    owned_digest,
)
from edge_agent.diff.projection import PATH_LIMIT, comparable, mismatches
from outrider.manifests.names import SERVER_METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.cluster.names import Object


@dataclass(frozen=True, slots=True)
class LiveState:
    """What a verdict depends on of a live object: digests of the fields that the agent holds, and of the
    whole content.
    """

    owned: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, for which desired object (its digest) and which state of the live one.

    `state.owned` is empty where the agent doesn't hold everything that is desired. `paths` are JSON pointers
    without values: a Secret's stay on the cluster.
    """

    desired: bytes
    state: LiveState
    in_sync: bool
    paths: tuple[str, ...] = ()

    def holds_for(self, desired: bytes, state: LiveState) -> bool:
        """Say whether the verdict is still about these."""
        if self.desired != desired:
            return False
        mine = self.in_sync and self.state.owned == state.owned
        return mine or self.state.content == state.content


def state_of(live: Mapping[str, Any], manager: str) -> LiveState:
    """Return what verdicts depend on of a live object."""
    return LiveState(owned_digest(live, manager), content_digest(live))


def verdict(desired: Object, wanted: bytes, live: Object, manager: str, paths: tuple[str, ...]) -> Verdict:
    """Return the verdict on a live object, given its desired one, that one's digest, and the paths that
    differ.
    """
    state = state_of(live, manager)
    if not holds_all(live, desired, manager):
        state = LiveState(b"", state.content)
    return Verdict(wanted, state, not paths, paths)


def suspicion(desired: Object, live: Object, manager: str) -> tuple[str, ...]:
    """Return the paths that may differ, given both objects without what is ignored; empty: in sync."""
    wanted = comparable(desired)
    return tuple(islice(chain(mismatches(wanted, live), left_over(live, wanted, manager)), PATH_LIMIT))


def changes(live: Object, would_be: Object, manager: str, *, by_others: bool = False) -> tuple[str, ...]:
    """Return the paths that an apply would change, given what its dry run answered; both without what is
    ignored.

    Only what the manager holds before or after counts: the rest is what admission webhooks and defaults make
    of each write, and a webhook that writes something else each time (a date, a random name) would never be
    in sync. `by_others` counts that too.
    """
    before, after = settled(live), settled(would_be)
    held = None if by_others else answerable(live, would_be, manager)
    if held is None:
        found = (*mismatches(after, before), *mismatches(before, after))
    else:
        found = tuple(
            "/" + "/".join(step[2:] for step in steps)
            for fields in held
            for steps, _, _ in differences(fields, before, after)
        )
    return tuple(dict.fromkeys(found))[:PATH_LIMIT]


def answerable(live: Object, would_be: Object, manager: str) -> list[Mapping[str, Any]] | None:
    """Return what an apply is answerable for: what the manager held, and what it would hold. None: can't be
    said, so everything counts.
    """
    will, did = holdings(would_be, manager), holdings(live, manager)
    if will is None:
        return None
    return [*will, *(did or ())]


def settled(found: Mapping[str, Any]) -> Object:
    """Leave out what changes by itself: status and the server's metadata."""
    metadata = {
        name: value for name, value in (found.get("metadata") or {}).items() if name not in SERVER_METADATA
    }
    return {**{name: value for name, value in found.items() if name != "status"}, "metadata": metadata}
