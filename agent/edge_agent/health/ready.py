"""Kinds that say all there is to say in one condition, `Ready`: cert-manager's issuers, external-secrets,
kyverno and their like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import Rule, by_conditions
from edge_agent.health.model import DEGRADED, HEALTHY, Health

if TYPE_CHECKING:
    from collections.abc import Mapping

_RULES: tuple[Rule, ...] = (("Ready", "False", DEGRADED), ("Ready", "True", HEALTHY))


def ready(live: Mapping[str, Any]) -> Health:
    """Judge an object by its condition `Ready`."""
    return by_conditions(live, _RULES, "is not said to be ready yet")
