"""Routes of Gateway API (HTTPRoute, GRPCRoute, …): accepted by each parent that has judged this generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.gateway import unprogrammed
from edge_agent.health.model import HEALTHY, PROGRESSING, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def route(live: Mapping[str, Any]) -> Health:
    """Judge a route."""
    generation = section(live, "metadata").get("generation")
    current = [
        parent
        for parent in section(live, "status").get("parents") or ()
        if parent.get("conditions") and _is_current(parent["conditions"], generation)
    ]
    for parent in current:
        trouble = unprogrammed(
            parent["conditions"], f"parent {section(parent, 'parentRef').get('name', '')}: "
        )
        if trouble:
            return trouble
    return Health(HEALTHY) if current else Health(PROGRESSING, "no parent has accepted it yet")


def _is_current(conditions: list[Mapping[str, Any]], generation: object) -> bool:
    return generation is None or all(
        condition.get("observedGeneration", generation) == generation for condition in conditions
    )
