"""GatewayClass: accepted by its controller, in the generation that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, conditions, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def gateway_class(live: Mapping[str, Any]) -> Health:
    """Judge a GatewayClass."""
    accepted = conditions(live).get("Accepted", {})
    generation, observed = section(live, "metadata").get("generation"), accepted.get("observedGeneration")
    if accepted and (observed is None or generation is None or observed == generation):
        match accepted.get("status"):
            case "True":
                return Health(HEALTHY, said(accepted))
            case "False":
                return Health(DEGRADED, said(accepted))
    return Health(PROGRESSING, "no controller has accepted it yet")
