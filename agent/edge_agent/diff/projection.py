"""Does the live object hold what the desired one says? Pure.

The live object is looked at only where the desired one says something: what the server or others added
elsewhere is no difference. The answer errs to one side: no mismatch means in sync, a mismatch is a suspicion
(a quantity written another way, a default inside a list, an order that doesn't matter) that a dry run of the
apply confirms or clears.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from outrider.manifests.names import SERVER_METADATA

# Paths that are reported of one object: they travel and stand in a message.
PATH_LIMIT = 20


def mismatches(desired: Mapping[str, Any], live: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths at which the live object doesn't hold what the desired one says, as JSON pointers."""
    found = []
    for path in _compare(comparable(desired), live, ""):
        found.append(path)
        if len(found) == PATH_LIMIT:
            break
    return tuple(found)


def comparable(desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a desired object that count: not its status, nor metadata that the server
    writes.
    """
    counted = {name: value for name, value in desired.items() if name != "status"}
    metadata = desired.get("metadata")
    if isinstance(metadata, Mapping):
        counted["metadata"] = {name: value for name, value in metadata.items() if name not in SERVER_METADATA}
    return counted


def _compare(desired: Any, live: Any, path: str) -> Iterator[str]:
    if isinstance(desired, Mapping):
        if not isinstance(live, Mapping):
            yield path
            return
        for name, value in desired.items():
            if value is not None or live.get(name) is not None:
                yield from _compare(value, live.get(name, _ABSENT), f"{path}/{_escaped(name)}")
    elif isinstance(desired, list):
        if not isinstance(live, list) or len(desired) != len(live):
            yield path
            return
        for position, (wanted, found) in enumerate(zip(desired, live, strict=True)):
            yield from _compare(wanted, found, f"{path}/{position}")
    elif desired != live or isinstance(desired, bool) is not isinstance(live, bool):
        yield path


_ABSENT = object()


def _escaped(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")
