"""SealedSecret: unsealed into a Secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import Rule, by_conditions
from edge_agent.health.model import DEGRADED, HEALTHY, Health

if TYPE_CHECKING:
    from collections.abc import Mapping

_RULES: tuple[Rule, ...] = (("Synced", "False", DEGRADED), ("Synced", "True", HEALTHY))


def sealed_secret(live: Mapping[str, Any]) -> Health:
    """Judge a SealedSecret."""
    return by_conditions(live, _RULES, "has not been unsealed yet")
