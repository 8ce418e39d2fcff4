"""What is different, for a person: one line a field, with the value that is there and the one that will be. Pure.

Given objects hold neither what is ignored nor a Secret's values.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge_agent.diff.ignore import parse_pointer
from edge_agent.diff.owned import differences, left_over
from edge_agent.diff.paths import find
from edge_agent.diff.projection import comparable, mismatches
from edge_agent.diff.verdict import answerable, settled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edge_agent.cluster.names import Object
    from edge_agent.diff.owned import Steps

CHANGES_MAX = 200
# Characters of one value, as JSON; a longer one is cut and says so.
VALUE_LIMIT = 1_000

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

Change = dict[str, Any]
"""`{"path", "live"?, "desired"?}`; a side that has nothing there is left out."""


def applied(live: Object, would_be: Object, manager: str, *, by_others: bool = False) -> list[Change]:
    """Return what an apply would change, given its dry run."""
    before, after = settled(live), settled(would_be)
    held = None if by_others else answerable(live, would_be, manager)
    if held is None:
        return _of_pointers((*mismatches(after, before), *mismatches(before, after)), before, after)
    found = (
        _change(spoken(steps), one, other)
        for fields in held
        for steps, one, other in differences(fields, before, after)
    )
    return _once(found)


def projected(desired: Object, live: Object, manager: str) -> list[Change]:
    """Return where an object differs from what is desired as far as that can be told without a dry run."""
    wanted = comparable(desired)
    paths = (*mismatches(wanted, live), *left_over(live, wanted, manager))
    return _of_pointers(paths, live, wanted)


def spoken(steps: Steps) -> str:
    """Write a path for people: `.spec.containers[name="web"].image`."""
    return "".join(map(_spoken, steps))


def _spoken(step: str) -> str:
    how, what = step[:2], step[2:]
    if how == "f:":
        return _field(what)
    if how == "k:":
        return "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in json.loads(what).items()) + "]"
    return f"[{what}]"


def _field(name: str) -> str:
    return f".{name}" if _PLAIN.fullmatch(name) else f"[{json.dumps(name)}]"


def _of_pointers(
    pointers: Iterable[str], before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Change]:
    found = []
    for pointer in pointers:
        path = parse_pointer(pointer)
        name = "".join(f"[{step}]" if step.isdigit() else _field(step) for step in path)
        found.append(_change(name, find(before, path)[1], find(after, path)[1]))
    return _once(found)


def _once(changes: Iterable[Change]) -> list[Change]:
    found: dict[str, Change] = {}
    for change in changes:
        found.setdefault(change["path"], change)
    return list(islice(found.values(), CHANGES_MAX))


def _change(path: str, before: Any, after: Any) -> Change:
    sides = {"live": before, "desired": after}
    return {"path": path or "."} | dict(_cut(sides))


def _cut(sides: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for side, value in sides.items():
        if value is None:
            continue
        text = json.dumps(value, ensure_ascii=False)
        yield side, value if len(text) <= VALUE_LIMIT else f"{text[:VALUE_LIMIT]}… ({len(text)} characters)"
