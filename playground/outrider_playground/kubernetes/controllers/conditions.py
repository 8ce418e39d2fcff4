"""Conditions in a status: set them, keeping the time of their last turn."""

from __future__ import annotations

from typing import Any

Conditions = list[dict[str, Any]]


def condition(conditions: Conditions | None, kind: str) -> dict[str, Any] | None:
    """Find a condition by its type."""
    return next((each for each in conditions or () if each["type"] == kind), None)


def with_condition(conditions: Conditions | None, made: dict[str, Any], now: str) -> Conditions:
    """Return the conditions with this one in place of its like; its transition time moves only if its status does."""
    before = condition(conditions, made["type"])
    since = before["lastTransitionTime"] if before is not None and before["status"] == made["status"] else now
    fresh = {**made, "lastTransitionTime": since}
    if before is None:
        return [*(conditions or ()), fresh]
    return [fresh if each["type"] == made["type"] else each for each in conditions or ()]
