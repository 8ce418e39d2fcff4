"""Objects and what belongs to them as a drawn tree. Pure.

What an edge says of owners is taken as it is: an owner that is not among the nodes makes a root, a circle is cut, and an object
with several owners hangs below the first.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Node = dict[str, Any]


class Line(NamedTuple):
    """A node and what is drawn in front of it."""

    stem: str
    node: dict[str, Any]


def lines(nodes: Sequence[Node]) -> Iterator[Line]:
    """Yield each node once, below its owner: roots in the order given, what belongs to one by kind and name."""
    children: dict[str, list[Node]] = defaultdict(list)
    keys = {_key(node) for node in nodes}
    roots = []
    for node in nodes:
        owner = next((str(one) for one in node.get("parents") or () if str(one) in keys), None)
        if owner is None or owner == _key(node):
            roots.append(node)
        else:
            children[owner].append(node)
    drawn: set[str] = set()
    yield from _below(roots, children, drawn)
    # What only a circle of owners leads to.
    yield from _below([node for node in nodes if _key(node) not in drawn], children, drawn)


def _below(roots: list[Node], children: dict[str, list[Node]], drawn: set[str]) -> Iterator[Line]:
    """Draw without recursion: the depth is a stranger's."""
    waiting = [(root, "", "") for root in reversed(roots)]
    # node, its stem, the stem of what is below it
    while waiting:
        node, stem, below = waiting.pop()
        key = _key(node)
        if key in drawn:
            continue
        drawn.add(key)
        yield Line(stem, node)
        under = sorted(
            (one for one in children.get(key, ()) if _key(one) not in drawn),
            key=lambda one: (str(one.get("kind")), str(one.get("name"))),
        )
        for place, one in reversed(list(enumerate(under, 1))):
            last = place == len(under)
            waiting.append((one, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")))


def _key(node: Node) -> str:
    """Return what owners are named by; objects that are not on the cluster have no uid."""
    return str(
        node.get("uid") or tuple(str(node.get(name) or "") for name in ("group", "kind", "namespace", "name"))
    )
