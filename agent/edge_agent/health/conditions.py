"""Health by conditions, for the many kinds that differ only in what their conditions are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.model import PROGRESSING, Health, Status, conditions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Rule = tuple[str, str, Status]
"""A condition's type, its status, and what an object is whose condition says so."""


def by_conditions(live: Mapping[str, Any], rules: Iterable[Rule], waiting: str) -> Health:
    """Return what the first rule says that holds; Progressing, with what it waits for, when none does."""
    found = conditions(live)
    for kind, status, verdict in rules:
        condition = found.get(kind)
        if condition is not None and condition.get("status") == status:
            return Health(verdict, said(condition))
    return Health(PROGRESSING, waiting)


def said(condition: Mapping[str, Any]) -> str:
    """Return what a condition says for itself: its message, else its reason."""
    return str(condition.get("message") or condition.get("reason") or "")
