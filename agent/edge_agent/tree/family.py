"""Who descends from whom: from a heap of objects with owners to the descendants of some. Pure.

Whatever the references say (an owner that is its own grandchild, two owners, one that is gone), each object is
visited once, so the walk ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_agent.cluster.names import Key
    from edge_agent.tree.relative import Relative


@dataclass(frozen=True, slots=True)
class Family:
    """Descendants, parents before children, and of each the uids of its parents that are in the tree."""

    members: tuple[Relative, ...]
    parents: Mapping[str, tuple[str, ...]]
    truncated: bool


def family(roots: Iterable[Relative], found: Iterable[Relative], limit: int) -> Family:
    """Return the roots and what descends from them, at most `limit` objects."""
    children = _children(found)
    members: dict[str, Relative] = {}
    waiting = deque(roots)
    while waiting:
        one = waiting.popleft()
        if one.uid in members:
            continue
        if len(members) == limit:
            return Family(tuple(members.values()), _parents(members), truncated=True)
        members[one.uid] = one
        waiting.extend(children.get(one.uid, ()))
        waiting.extend(children.get(one.key, ()))
    return Family(tuple(members.values()), _parents(members), truncated=False)


def _children(found: Iterable[Relative]) -> dict[str | Key, list[Relative]]:
    children: dict[str | Key, list[Relative]] = {}
    for one in found:
        owners: list[str | Key] = [*one.owners, *one.inferred]
        for owner in owners:
            children.setdefault(owner, []).append(one)
    return children


def _parents(members: Mapping[str, Relative]) -> dict[str, tuple[str, ...]]:
    by_key = {one.key: uid for uid, one in members.items()}
    return {
        uid: tuple(
            dict.fromkeys(
                parent
                for parent in (*one.owners, *(by_key.get(key, "") for key in one.inferred))
                if parent in members and parent != uid
            )
        )
        for uid, one in members.items()
    }
