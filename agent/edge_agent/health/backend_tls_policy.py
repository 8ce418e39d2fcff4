"""BackendTLSPolicy (Gateway API): accepted, its references resolved, for each Gateway that it reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.health.conditions import said
from edge_agent.health.model import DEGRADED, HEALTHY, PROGRESSING, Health, section

if TYPE_CHECKING:
    from collections.abc import Mapping


def backend_tls_policy(live: Mapping[str, Any]) -> Health:
    """Judge a BackendTLSPolicy."""
    generation = section(live, "metadata").get("generation")
    found = [
        (str(section(ancestor, "ancestorRef").get("name", "")), condition)
        for ancestor in section(live, "status").get("ancestors") or ()
        for condition in ancestor.get("conditions") or ()
    ]
    for name, condition in found:
        if generation is not None and condition.get("observedGeneration", generation) != generation:
            return Health(PROGRESSING, f"ancestor {name} has not judged the latest change yet")
    for name, condition in found:
        if condition.get("type") in ("Accepted", "ResolvedRefs") and condition.get("status") != "True":
            return Health(DEGRADED, f"ancestor {name}: {said(condition)}")
    if any(condition.get("type") == "Accepted" for _, condition in found):
        return Health(HEALTHY)
    return Health(PROGRESSING, "no controller has taken it up yet")
