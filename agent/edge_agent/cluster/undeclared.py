"""Leave out fields that a kind's schema doesn't have. Pure.

Server-side apply refuses an unknown field whatever `fieldValidation` says. Where unknown fields are to be let
through (`Validate=false`), they are left out instead, as every other way of writing an object does silently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_agent.cluster.errors import FieldCause
    from edge_agent.cluster.names import Object

_UNDECLARED = "field not declared in schema"
# A path of structured-merge-diff: `spec.containers[name="web"].image`, `args[0]`.
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\]]*)\]")


def only_undeclared(causes: Sequence[FieldCause]) -> bool:
    """Say whether unknown fields are all that is wrong."""
    return bool(causes) and all(cause.message == _UNDECLARED for cause in causes)


def without_fields(manifest: Object, causes: Sequence[FieldCause]) -> Object:
    """Return the manifest without the fields that the causes name; the given one is left as it is."""
    found: Object = json.loads(json.dumps(manifest))
    for cause in causes:
        _remove(found, [match.group(1) or match.group(2) for match in _STEP.finditer(cause.field)])
    return found


def _remove(found: Any, steps: list[str]) -> None:
    for step in steps[:-1]:
        found = found.get(step) if isinstance(found, dict) else _item(found, step)
    if steps and isinstance(found, dict):
        found.pop(steps[-1], None)


def _item(found: Any, step: str) -> Any:
    """Return an item of a list by its keys or its position."""
    if not isinstance(found, list):
        return None
    if step.isdigit():
        return found[int(step)] if int(step) < len(found) else None
    keys = dict(part.split("=", 1) for part in step.split(",") if "=" in part)
    return next((item for item in found if isinstance(item, Mapping) and _has(item, keys)), None)


def _has(item: Mapping[str, Any], keys: Mapping[str, str]) -> bool:
    return all(json.dumps(item.get(name)) == value for name, value in keys.items())
